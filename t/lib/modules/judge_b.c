/* SPDX-License-Identifier: MIT */
/* t/lib/modules/judge_b.c - one of two that are asked who may log in. */
#include "t/lib/modules/judge.h"

JUDGE(judge_b);
