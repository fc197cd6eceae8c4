/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup.h - from answers to a relay that runs. Each step is
 * a file: options or questions, plan, show, apply, start, entries. */
#pragma once
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/pem.h"
#include "tools/hdctl/yaml_tree.h"

enum setup_cert { /* where the certificate comes from */
		  SETUP_CERT_KEEP, /* as it is */
		  SETUP_CERT_FILES,
		  SETUP_CERT_SELF,
		  SETUP_CERT_ACME,
};

enum setup_seen { /* what became of the relay */
		  SETUP_WELL, /* as far as hdprobe could look */
		  SETUP_UNUSABLE, /* hdprobe says why */
		  SETUP_NO_CERT, /* from its authority, yet */
};

enum { SETUP_PATH_BYTES = 1024, SETUP_AS_IT_IS = -1 };

struct setup_wish { /* NULL, 0, SETUP_AS_IT_IS: not said */
	const char *config, *host;
	const char *cert, *key, *email;
	const char *who; /* open, keys, headscale, tailscaled */
	const char *who_arg; /* file, URL, socket */
	const char *port_text;
	enum setup_cert certificate;
	int port, stun;
	bool accept_tos, yes, dry_run, no_start;
};

struct setup {
	struct hdctl *h;
	struct setup_wish w;
	char host[256]; /* of the certificate that is there */
	char config[SETUP_PATH_BYTES]; /* w.config from the root */
	char folder[SETUP_PATH_BYTES]; /* of the configuration */
	char target[SETUP_PATH_BYTES + 32]; /* the file that is written */
	bool fragment; /* the configuration includes it */
	bool fresh; /* it is not there yet */
	char *old_text, *new_text; /* its text */
	json_t *tree, *want; /* what is in it, and shall be */
	json_t *others; /* what other files of the configuration say */
	json_t *enable, *disable; /* modules, by links */
	char cert[SETUP_PATH_BYTES + 300], key[SETUP_PATH_BYTES + 300];
	struct pem pem; /* the certificate, where it is a file */
	bool put_cert; /* it is to be written */
	bool self_signed;
	bool runs; /* with this configuration; it can be asked */
	char why_not[512]; /* what of the file cannot be kept; "": all can */
};

int run_setup(struct hdctl *h, const char *const *words, size_t n);

/* Each returns HDCTL_OK, or an exit status, told. */
int setup_options(struct setup_wish *w, const char *const *words, size_t n);
int setup_ask(struct setup *s); /* what options have not said */
int setup_check(const struct setup_wish *w); /* do they go together? */
int setup_find(struct setup *s); /* the files that are there */
int setup_certificate(struct setup *s); /* read or made, not written */
int setup_plan(struct setup *s); /* what shall be in the file */
int setup_text(struct setup *s); /* its text */
int setup_show(struct setup *s); /* diff; asks. 1: nothing to do, or no */
int setup_apply(struct setup *s);
int setup_start(struct setup *s, enum setup_seen *ret_seen);
void setup_firewall(const struct setup *s);
void setup_say_who(const struct setup *s); /* may use it */
void setup_entries(struct setup *s); /* for Headscale and others */

/* ---- helpers ---- */

/* setup_conf - what a key is now, in whichever file; NULL: not set.
 * setup_changes - whether anything is to be written. */
const json_t *setup_conf(const struct setup *s, const char *path);
bool setup_changes(const struct setup *s);
/* setup_port_of - what somebody has written; -1: no port.
 * setup_port - that clients connect to, as it shall be. */
int setup_port_of(const char *text);
int setup_port(const struct setup *s);
int setup_stun_port(const struct setup *s); /* -1: none */
bool setup_has(const struct setup *s, const char *module); /* installed */
bool setup_lists(const struct setup *s, const char *module); /* as it is */
bool setup_wants(const struct setup *s, const char *module); /* as it shall */
/* setup_is_main - a listener as setup makes them, on all addresses. */
bool setup_is_main(const json_t *listener);
/* setup_edit - the text with a section of its file replaced; NULL: none.
 * @value  NULL: the section goes
 * @ret_line  of a comment in the section, which would be lost; 0: none
 * Returns text for free(). */
char *setup_edit(const char *text, const char *key, const json_t *value,
		 unsigned *ret_line);
/* setup_diff - as diff -u. */
void setup_diff(const char *old_name, const char *new_name,
		const char *old_text, const char *new_text);
/* setup_replace - a file's text, at once: whoever reads it meanwhile has all of
 * the old or of the new. A link stays, what it leads to is replaced.
 * @like  whose owner, mode, ACL and attributes it gets; not there: everybody
 * may read it
 * Returns as above. setup_replace_as - owner and mode of a stat(), no ACL. */
int setup_replace(const char *path, const char *text, const char *like);
struct stat;
int setup_replace_as(const char *path, const char *text, const struct stat *as);
/* setup_by_acme - whether clients get the certificate that acme fetches.
 * setup_wait_cert - until it is there; an attempt that has failed is made again
 * now. Returns whether it is there; if not, it is said why. */
bool setup_by_acme(const struct setup *s);
bool setup_wait_cert(struct setup *s);
/* setup_put_cert - write the certificate and its key. Returns as above. */
int setup_put_cert(struct setup *s);
/* setup_cert_end - the files before it go; or come back. */
void setup_cert_end(const struct setup *s, bool good);
/* setup_plan_modules - setup_plan's part of load_module. */
int setup_plan_modules(struct setup *s);
