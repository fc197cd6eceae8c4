/* SPDX-License-Identifier: MIT */
/* core/conf/conf_user.c - the numbers of the user that `user` and `group` name.
 */
#include <grp.h>
#include <pwd.h>
#include "core/conf/conf_value.h"

int hd_conf_user(const struct hd_conf *conf, uid_t *ret_uid, gid_t *ret_gid,
		 struct hd_error *err)
{
	const struct hd_node *root = conf->priv->root;
	const struct passwd *pw = getpwnam(conf->user);

	if (pw == NULL)
		return hd_node_error(hd_node_get(root, "user"), err,
				     "user: there is no user %s; make it with: "
				     "useradd --system %s",
				     conf->user, conf->user);
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	if (conf->group == NULL)
		return 0;
	const struct group *gr = getgrnam(conf->group);
	if (gr == NULL)
		return hd_node_error(hd_node_get(root, "group"), err,
				     "group: there is no group %s; make it "
				     "with: groupadd --system %s",
				     conf->group, conf->group);
	*ret_gid = gr->gr_gid;
	return 0;
}
