# SPDX-License-Identifier: MIT
# HD_XDP - the kernel's fast path: --with-xdp=auto|yes|no. It takes libbpf and
# libxdp, a clang that compiles for BPF, and bpftool, which turns the program
# into a header. Sets BPF_CLANG, BPFTOOL, BPF_CPPFLAGS, LIBBPF_*, LIBXDP_*;
# defines HAVE_XDP for C and Automake.
AC_DEFUN([HD_XDP], [
AC_ARG_WITH([xdp], [AS_HELP_STRING([--with-xdp=auto|yes|no],
	[WireGuard relayed in the network driver @<:@auto@:>@])],
	[], [with_xdp=auto])
AC_ARG_VAR([BPF_CLANG], [clang, to compile for BPF])
AC_ARG_VAR([BPFTOOL], [bpftool 7 or later])
hd_have_xdp=no
AS_IF([test "$with_xdp" != no], [
	hd_xdp_missing=
	PKG_CHECK_MODULES([LIBBPF], [libbpf >= 1.0], [],
		[AS_VAR_APPEND([hd_xdp_missing], [" libbpf-dev"])])
	PKG_CHECK_MODULES([LIBXDP], [libxdp >= 1.2], [],
		[AS_VAR_APPEND([hd_xdp_missing], [" libxdp-dev"])])
	AC_PATH_PROGS([BPF_CLANG], [clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14])
	AC_PATH_PROG([BPFTOOL], [bpftool], [], [$PATH:/usr/sbin:/sbin])
	AS_IF([test -n "$BPFTOOL"], [],
		[AS_VAR_APPEND([hd_xdp_missing], [" bpftool"])])
	# Debian keeps <asm/types.h> where only the native compiler looks.
	hd_multiarch=`$CC -print-multiarch 2>/dev/null ||
		$CC -print-target-triple 2>/dev/null`
	BPF_CPPFLAGS="-I/usr/include/$hd_multiarch"
	HD_XDP_CLANG_
	AS_IF([test -z "$hd_xdp_missing"], [hd_have_xdp=yes],
		[test "$with_xdp" = yes],
		[AC_MSG_ERROR([--with-xdp: apt-get install$hd_xdp_missing])])
])
AC_SUBST([BPF_CPPFLAGS])
HD_HAVE_([xdp], [XDP], [WireGuard relayed in the network driver])
])

AC_DEFUN([HD_XDP_CLANG_], [
AC_MSG_CHECKING([for a clang that compiles for BPF])
printf '%s\n' '#include <linux/bpf.h>' 'int x;' >conftest-bpf.c
AS_IF([test -n "$BPF_CLANG" && $BPF_CLANG -target bpf $BPF_CPPFLAGS \
	-c conftest-bpf.c -o conftest-bpf.o >&AS_MESSAGE_LOG_FD 2>&1],
	[AC_MSG_RESULT([$BPF_CLANG])],
	[AC_MSG_RESULT([no])
	AS_VAR_APPEND([hd_xdp_missing], [" clang"])])
rm -f conftest-bpf.c conftest-bpf.o
])
