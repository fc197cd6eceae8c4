# SPDX-License-Identifier: MIT
# HD_TRY_FLAG([VAR], [FLAG]) - append FLAG to VAR if compiler and linker take
# it. The source includes a header and has a loop, an array and a call so that
# fortification and stack protection have something to complain about.
AC_DEFUN([HD_TRY_FLAG], [
AS_VAR_PUSHDEF([hd_cv], [hd_cv_flag_$2])
AC_CACHE_CHECK([whether $CC takes $2], [hd_cv], [
	hd_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $SAN_CFLAGS -Werror $2"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]],
		[[char b[64]; return puts(fgets(b, sizeof b, stdin) ? b : "");]])],
		[AS_VAR_SET([hd_cv], [yes])], [AS_VAR_SET([hd_cv], [no])])
	CFLAGS=$hd_save_CFLAGS
])
AS_VAR_IF([hd_cv], [yes], [AS_VAR_APPEND([$1], [" $2"])])
AS_VAR_POPDEF([hd_cv])
])

# HD_FLAGS_WARN - WARN_CFLAGS; --enable-werror.
AC_DEFUN([HD_FLAGS_WARN], [
WARN_CFLAGS="-Wall -Wextra -Wshadow -Wmissing-prototypes -Wformat=2 -Wvla"
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
	[a warning is an error (for CI)])], [], [enable_werror=no])
AS_IF([test "$enable_werror" = yes], [AS_VAR_APPEND([WARN_CFLAGS], [" -Werror"])])
AC_SUBST([WARN_CFLAGS])
])

# HD_FLAGS_SANITIZE - SAN_CFLAGS, to compile and to link with;
# --enable-sanitizers=LIST, --enable-fuzzers.
AC_DEFUN([HD_FLAGS_SANITIZE], [
AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers=LIST],
	[address,undefined or thread])], [], [enable_sanitizers=no])
AC_ARG_ENABLE([fuzzers], [AS_HELP_STRING([--enable-fuzzers],
	[build t/fuzz with libFuzzer; needs CC=clang])],
	[], [enable_fuzzers=no])
AS_CASE([$enable_sanitizers], [yes], [enable_sanitizers=address,undefined])
SAN_CFLAGS=
AS_IF([test "$enable_sanitizers" != no],
	[SAN_CFLAGS="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"])
AS_IF([test "$enable_fuzzers" = yes],
	[AS_VAR_APPEND([SAN_CFLAGS], [" -fsanitize=fuzzer-no-link"])])
AS_IF([test -n "$SAN_CFLAGS"], [
	AC_MSG_CHECKING([whether $CC links with $SAN_CFLAGS])
	hd_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $SAN_CFLAGS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
		[AC_MSG_ERROR([no: libFuzzer needs CC=clang, sanitizers need their run-time library (libclang-rt-dev)])])
	CFLAGS=$hd_save_CFLAGS
	AC_DEFINE([HD_SANITIZED], [1],
		[A sanitizer is at work: closed modules stay resident, else its reports say "unknown module".])
])
AM_CONDITIONAL([FUZZERS], [test "$enable_fuzzers" = yes])
AC_SUBST([SAN_CFLAGS])
])

# HD_FLAGS_HARDEN - HARDEN_CFLAGS for all, HARDEN_LDFLAGS for all,
# PIE_CFLAGS and PIE_LDFLAGS for programs. Fortification hides from the
# sanitizers what it replaces, so it stays out there.
AC_DEFUN([HD_FLAGS_HARDEN], [
AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
	[no stack protector, fortification, PIE, RELRO])],
	[], [enable_hardening=yes])
HARDEN_CFLAGS= HARDEN_LDFLAGS= PIE_CFLAGS= PIE_LDFLAGS=
AS_IF([test "$enable_hardening" = yes], [
	AS_IF([test -z "$SAN_CFLAGS"],
		[HD_TRY_FLAG([HARDEN_CFLAGS], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3])])
	HD_TRY_FLAG([HARDEN_CFLAGS], [-fstack-protector-strong])
	HD_TRY_FLAG([HARDEN_CFLAGS], [-fstack-clash-protection])
	HD_TRY_FLAG([HARDEN_CFLAGS], [-fcf-protection])
	HD_TRY_FLAG([HARDEN_LDFLAGS], [-Wl,-z,relro])
	HD_TRY_FLAG([HARDEN_LDFLAGS], [-Wl,-z,now])
	HD_TRY_FLAG([PIE_CFLAGS], [-fPIE])
	HD_TRY_FLAG([PIE_LDFLAGS], [-pie])
])
# __FILE__ and debug information name files relative to the source tree: the
# installed programs hold no path of the machine that built them.
hd_pwd=`pwd`
HD_TRY_FLAG([PREFIX_CFLAGS], [-ffile-prefix-map=$srcdir/=])
HD_TRY_FLAG([PREFIX_CFLAGS], [-fdebug-prefix-map=$hd_pwd=.])
HD_TRY_FLAG([VISIBILITY_CFLAGS], [-fvisibility=hidden])
AC_SUBST([HARDEN_CFLAGS])
AC_SUBST([HARDEN_LDFLAGS])
AC_SUBST([PIE_CFLAGS])
AC_SUBST([PIE_LDFLAGS])
AC_SUBST([PREFIX_CFLAGS])
AC_SUBST([VISIBILITY_CFLAGS])
])
