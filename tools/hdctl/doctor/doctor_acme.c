/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_acme.c - the certificate that the module acme gets:
 * whether it is there, and if not, why. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

bool doctor_by_acme(const struct doctor *d)
{
	return doctor_loads(d, "acme") &&
	       json_array_size(tree_get(d->conf, "acme.hosts")) > 0;
}

/* "a.example.net, b.example.net", as many as there is room for. */
static const char *hosts_of(const struct doctor *d, char *buf, size_t size)
{
	const json_t *hosts = tree_get(d->conf, "acme.hosts"), *host;
	size_t i, n = 0;

	buf[0] = '\0';
	json_array_foreach(hosts, i, host)
	{
		n += (size_t)snprintf(buf + n, size - n, "%s%s",
				      i > 0 ? ", " : "",
				      json_string_value(host));
		if (n >= size)
			break;
	}
	return buf;
}

/* No relay runs: the file is what the next one begins with. */
static void look_at_file(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES], hosts[256];

	(void)snprintf(path, sizeof(path), "%s/acme.certificate",
		       tree_text(d->conf, "state_dir", "/var/lib/hyper-derp"));
	if (access(path, F_OK) == 0)
		doctor_say(d, DOCTOR_OK, "%s: acme renews it while the relay "
			   "runs", path);
	else if (errno == ENOENT)
		doctor_say(d, DOCTOR_OK, "acme gets it once the relay runs, "
			   "for %s", hosts_of(d, hosts, sizeof(hosts)));
	else
		doctor_say(d, DOCTOR_SKIP, "%s: %s: ask as root", path,
			   strerror(errno));
}

static void say_status(struct doctor *d, const json_t *acme)
{
	bool has = json_is_true(json_object_get(acme, "certificate"));
	const char *error = tree_text(acme, "error", NULL);
	char hosts[256];

	if (has && error == NULL)
		doctor_say(d, DOCTOR_OK, "acme has it, for %s",
			   hosts_of(d, hosts, sizeof(hosts)));
	else if (has)
		doctor_say(d, DOCTOR_WARN, "acme could not renew it: %s",
			   error);
	else
		doctor_say(d, DOCTOR_WARN, "there is none yet, and clients "
			   "refuse the temporary one: %s",
			   error != NULL ? error
					 : "acme is still getting it");
	if (!has || error != NULL)
		doctor_remedy(d, "hdctl acme status says how far it is");
}

static void say_not_loaded(struct doctor *d)
{
	doctor_say(d, DOCTOR_WARN, "the relay that runs has not loaded the "
				   "module acme");
	doctor_remedy(d, "hdctl module load acme");
}

bool doctor_check_acme(struct doctor *d)
{
	json_t *acme = doctor_ask(d, "acme status");
	bool has = json_is_true(json_object_get(acme, "certificate"));

	if (d->status == NULL)
		look_at_file(d);
	else if (acme != NULL)
		say_status(d, acme);
	else
		say_not_loaded(d);
	json_decref(acme);
	return has;
}
