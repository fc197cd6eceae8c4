/* SPDX-License-Identifier: MIT */
/* t/modules/judge_b.c - one of two modules that are asked who may log in. */
#include "t/modules/judge.h"

JUDGE(judge_b);
