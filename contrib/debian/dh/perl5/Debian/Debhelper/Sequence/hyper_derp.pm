# SPDX-License-Identifier: MIT
# The debhelper sequence hyper-derp: packages with modules of Hyper-DERP.
use v5.36;
use Debian::Debhelper::Dh_Lib;

insert_after('dh_install', 'dh_hyperderp');

1;
