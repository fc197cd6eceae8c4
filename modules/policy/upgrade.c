/* SPDX-License-Identifier: MIT */
/* modules/policy/upgrade.c - what goes to a new process: what is counted of
 * each peer and what it has shown, the lock of the files, which tenants and
 * keys have used their quotas, and what services have said.
 *
 * Rules, files of keys, lists of devices and revocations are read by the new
 * process. Logins that wait for a service are closed, and come again.
 *
 * Versions: 1, the first. */
#include "modules/policy/service.h"

/* ---- once ---- */

static int pack(struct hd_module *mod, struct hd_pack *to, struct hd_error *err)
{
	(void)mod;
	policy_quota_pack(to);
	policy_quota_keys_pack(to);
	return account_pack(to, err);
}

/* A key may have been revoked when this process had read the file already. */
static int read_revoked(struct hd_error *err)
{
	struct policy_revoked *now, *old = policy_main.revoked;
	int r = policy_revoked_load(&now, err);

	if (r < 0)
		return r;
	policy_main.revoked = now;
	policy_revoked_drop(&old);
	return 0;
}

static int unpack(struct hd_module *mod, struct hd_unpack *from,
		  struct hd_error *err)
{
	int r = read_revoked(err);

	(void)mod;
	policy_devices_again(); /* the same of lists of devices */
	if (r == 0)
		r = policy_quota_unpack(from);
	return r == 0 ? account_unpack(from) : r;
}

/* ---- in workers ---- */

static int pack_worker(struct hd_module *mod, struct hd_worker *w,
		       struct hd_pack *to, struct hd_error *err)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);

	/* into the files, by pack(): so nothing counts twice or not at all */
	account_collect(pw);
	return policy_answers_pack(pw, to, err);
}

static int unpack_worker(struct hd_module *mod, struct hd_worker *w,
			 struct hd_unpack *from, struct hd_error *err)
{
	(void)err;
	policy_take(mod, w); /* what unpack() has made */
	policy_answers_unpack(hd_module_worker_data(mod, w), from);
	return 0;
}

/* ---- beside a peer ---- */

static int pack_peer(struct hd_module *mod, struct hd_worker *w,
		     const struct hd_peer *peer, struct hd_pack *to,
		     struct hd_error *err)
{
	policy_shown_pack(mod, peer, to);
	policy_given_pack(mod, peer, to);
	return account_pack_peer(mod, w, peer, to, err);
}

static int unpack_peer(struct hd_module *mod, struct hd_worker *w,
		       struct hd_peer *peer, struct hd_unpack *from,
		       struct hd_error *err)
{
	policy_shown_unpack(mod, peer, from);
	policy_given_unpack(mod, peer, from);
	return account_unpack_peer(mod, w, peer, from, err);
}

const struct hd_upgrade_def policy_upgrade = {
	.version = 1,
	.oldest = 1,
	.pack = pack,
	.unpack = unpack,
	.pack_worker = pack_worker,
	.unpack_worker = unpack_worker,
	.pack_peer = pack_peer,
	.unpack_peer = unpack_peer,
};
