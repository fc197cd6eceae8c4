# SPDX-License-Identifier: MIT
# HD_MODULE_ARG([NAME], [DEFAULT = shared])
#
# Gives --with-module-NAME=shared|static|no and the Automake conditionals
# SHARED_NAME and STATIC_NAME, which modules/NAME/Makefile.inc asks.
AC_DEFUN([HD_MODULE_ARG], [
m4_pushdef([hd_default], m4_default([$2], [shared]))
AC_ARG_WITH([module-$1],
	[AS_HELP_STRING([--with-module-$1=shared|static|no],
		[build the $1 module as a file of its own, into the daemon,
		or not @<:@]hd_default[@:>@])],
	[], [with_module_$1=hd_default])
AS_CASE([$with_module_$1],
	[yes], [with_module_$1=shared],
	[shared|static|no], [],
	[AC_MSG_ERROR([--with-module-$1=$with_module_$1: the values are shared, static and no])])
AM_CONDITIONAL([SHARED_$1], [test "$with_module_$1" = shared])
AM_CONDITIONAL([STATIC_$1], [test "$with_module_$1" = static])
AS_VAR_APPEND([hd_modules_summary], [" $1:$with_module_$1"])
m4_popdef([hd_default])
])
