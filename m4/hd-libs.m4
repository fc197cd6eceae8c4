# SPDX-License-Identifier: MIT
# Every macro names the Debian package, so that the error is also the remedy.

# HD_REQUIRE([VAR], [PKG-CONFIG MODULE], [DEBIAN PACKAGE])
AC_DEFUN([HD_REQUIRE], [
PKG_CHECK_MODULES([$1], [$2], [],
	[AC_MSG_ERROR([$2 is missing: apt-get install $3])])
])

# HD_REQUIRE_LIB([VAR], [HEADER], [LIBRARY], [FUNCTION], [DEBIAN PACKAGE])
# For libraries without a pkg-config file. Sets VAR_LIBS.
AC_DEFUN([HD_REQUIRE_LIB], [
AC_CHECK_HEADER([$2], [], [AC_MSG_ERROR([$2 is missing: apt-get install $5])])
AC_CHECK_LIB([$3], [$4], [AC_SUBST([$1_LIBS], [-l$3])],
	[AC_MSG_ERROR([lib$3 is missing: apt-get install $5])])
])

# HD_REQUIRE_HEADER([HEADER], [DEBIAN PACKAGE])
AC_DEFUN([HD_REQUIRE_HEADER], [
AC_CHECK_HEADER([$1], [], [AC_MSG_ERROR([$1 is missing: apt-get install $2])])
])

# HD_OPTIONAL([NAME], [VAR], [PKG-CONFIG MODULE], [WHAT IT IS FOR])
# --with-NAME=auto|yes|no; defines HAVE_VAR for C and Automake.
AC_DEFUN([HD_OPTIONAL], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=auto|yes|no],
	[$4 @<:@auto@:>@])], [], [with_$1=auto])
hd_have_$1=no
AS_IF([test "$with_$1" != no],
	[PKG_CHECK_MODULES([$2], [$3], [hd_have_$1=yes],
		[AS_IF([test "$with_$1" = yes],
			[AC_MSG_ERROR([--with-$1: $3 is missing])])])])
HD_HAVE_([$1], [$2], [$4])
])

# HD_OPTIONAL_HEADER([NAME], [VAR], [HEADER], [WHAT IT IS FOR])
AC_DEFUN([HD_OPTIONAL_HEADER], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=auto|yes|no],
	[$4 @<:@auto@:>@])], [], [with_$1=auto])
hd_have_$1=no
AS_IF([test "$with_$1" != no],
	[AC_CHECK_HEADER([$3], [hd_have_$1=yes],
		[AS_IF([test "$with_$1" = yes],
			[AC_MSG_ERROR([--with-$1: $3 is missing])])])])
HD_HAVE_([$1], [$2], [$4])
])

# HD_OPTIONAL_LIB([NAME], [VAR], [HEADER], [LIBRARY], [FUNCTION],
#	[WHAT IT IS FOR])
# The same for a library without a pkg-config file. Sets VAR_LIBS.
AC_DEFUN([HD_OPTIONAL_LIB], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=auto|yes|no],
	[$6 @<:@auto@:>@])], [], [AS_TR_SH([with_$1])=auto])
AS_TR_SH([hd_have_$1])=no
AS_IF([test "$AS_TR_SH([with_$1])" != no],
	[AC_CHECK_HEADER([$3],
		[AC_CHECK_LIB([$4], [$5], [AS_TR_SH([hd_have_$1])=yes
			AC_SUBST([$2_LIBS], [-l$4])])])
	AS_IF([test "$AS_TR_SH([hd_have_$1])$AS_TR_SH([with_$1])" = noyes],
		[AC_MSG_ERROR([--with-$1: $3 or lib$4 is missing])])])
HD_HAVE_(AS_TR_SH([$1]), [$2], [$6])
])

AC_DEFUN([HD_HAVE_], [
AM_CONDITIONAL([HAVE_$2], [test "$hd_have_$1" = yes])
AS_IF([test "$hd_have_$1" = yes], [AC_DEFINE([HAVE_$2], [1], [$3])])
])
