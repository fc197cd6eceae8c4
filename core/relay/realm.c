/* SPDX-License-Identifier: MIT */
/* core/relay/realm.c - numbers for the names of realms. Context: main
 * thread. */
#include <hyper-derp/relay.h>
#include <string.h>

#define REALMS_MAX 64

uint16_t hd_realm(const char *name)
{
	static char names[REALMS_MAX][32]; /* 0 is "" */
	static uint16_t n = 1;

	hd_assert(strlen(name) < sizeof(names[0]));
	for (uint16_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	hd_assert(n < REALMS_MAX);
	strcpy(names[n], name);
	return n++;
}
