# SPDX-License-Identifier: MIT
# hyper-derp.m4 - for modules outside of Hyper-DERP's own tree. Installed into
# aclocal's folder.

# HD_MODULE_INIT([MINIMUM-ABI]) - finds the installed headers with pkg-config.
# MINIMUM-ABI, such as 1.1: what the module uses. Sets for the Makefile:
#   HD_MODULE_CFLAGS   include path, hidden visibility
#   HD_MODULE_LDFLAGS  -shared, every symbol resolved on load
#   HD_MODULE_DIR      where modules are installed; --with-moduledir=DIR
#   HD_RELAY           the relay's program, for tests
AC_DEFUN([HD_MODULE_INIT], [
AC_REQUIRE([AC_PROG_CC])
AC_ARG_VAR([PKG_CONFIG], [pkg-config, to find hyper-derp])
AC_PATH_PROGS([PKG_CONFIG], [pkg-config pkgconf])
AC_ARG_WITH([moduledir], [AS_HELP_STRING([--with-moduledir=DIR],
	[where modules are installed; default: where the relay looks])],
	[], [with_moduledir=])
AC_MSG_CHECKING([for the ABI of hyper-derp])
hd_abi=`$PKG_CONFIG --variable=abi hyper-derp 2>/dev/null`
AS_IF([test -n "$hd_abi"], [], [
	AC_MSG_RESULT([not found])
	AC_MSG_ERROR([hyper-derp.pc is not found: install hyper-derp, or set PKG_CONFIG_PATH to PREFIX/lib/pkgconfig])])
AC_MSG_RESULT([$hd_abi])
m4_ifval([$1], [
hd_want=$1
AS_IF([test "${hd_abi%%.*}" -eq "${hd_want%%.*}" &&
       test "${hd_abi#*.}" -ge "${hd_want#*.}"], [],
	[AC_MSG_ERROR([this module needs ABI $1 of hyper-derp, and $hd_abi is installed])])
])
HD_MODULE_CFLAGS=`$PKG_CONFIG --cflags hyper-derp`
HD_MODULE_LDFLAGS=`$PKG_CONFIG --libs hyper-derp`
HD_MODULE_DIR=$with_moduledir
AS_IF([test -n "$HD_MODULE_DIR"], [],
	[HD_MODULE_DIR=`$PKG_CONFIG --variable=moduledir hyper-derp`])
HD_RELAY=`$PKG_CONFIG --variable=relay hyper-derp`
AC_SUBST([HD_MODULE_CFLAGS])
AC_SUBST([HD_MODULE_LDFLAGS])
AC_SUBST([HD_MODULE_DIR])
AC_SUBST([HD_RELAY])
])
