/* SPDX-License-Identifier: GPL-2.0 */
/*
 * execns(2) and execnsat(2): what fs/exec.c needs of kernel/execns/, which is in
 * Rust. The functions are documented there.
 *
 * They are declared in any case: without CONFIG_USER_NS_EXECNS, bprm_execns() is
 * NULL and nothing calls them.
 */
#ifndef _LINUX_EXECNS_H
#define _LINUX_EXECNS_H

#include <linux/binfmts.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/namei.h>

struct execns;
struct execns_args;
struct seq_file;

struct execns *execns_new(int unshare_flags);
struct execns *execns_new_at(struct execns_args __user *args, size_t size);
int execns_at_flags(struct execns *execns);
int execns_stage(struct execns *execns);
bool execns_keeps_fd(struct execns *execns, int fd);
void execns_free(struct execns *execns);
const struct cred *execns_cred(struct execns *execns);
void execns_end_lookup(struct execns *execns);
void execns_commit(struct execns *execns);
void execns_commit_creds(struct execns *execns);
void execns_defer_dump(struct execns *execns, struct file *file);
struct file *execns_deferred_dump(struct execns *execns);

/* A vfork() parent waits until the credentials are committed. */
void mm_exec_release(struct task_struct *tsk, struct mm_struct *mm);
void complete_vfork_done(struct task_struct *tsk);

/* What kernel/execns/ needs of C. */
struct cred *execns_prepare_ids(const struct cred *base, uid_t uid, gid_t gid,
				bool drop_groups);

#ifdef CONFIG_USER_NS_EXECNS
int proc_pid_account(struct seq_file *m, struct pid_namespace *ns,
		     struct pid *pid, struct task_struct *task);
#endif

DEFINE_FREE(execns, struct execns *, execns_free(_T))

/* The call of execns(2) that @bprm is executed by, or NULL. */
static inline struct execns *bprm_execns(const struct linux_binprm *bprm)
{
#ifdef CONFIG_USER_NS_EXECNS
	return bprm->execns;
#else
	return NULL;
#endif
}

static inline void bprm_set_execns(struct linux_binprm *bprm,
				   struct execns *execns)
{
#ifdef CONFIG_USER_NS_EXECNS
	bprm->execns = execns;
#endif
}

/* What the credentials of the program derive from, if it is not what is current. */
static inline const struct cred *bprm_execns_cred(const struct linux_binprm *bprm)
{
	struct execns *execns = bprm_execns(bprm);

	return execns ? execns_cred(execns) : NULL;
}

static inline const struct cred *bprm_base_cred(const struct linux_binprm *bprm)
{
	return bprm_execns_cred(bprm) ?: current_cred();
}

static inline const struct cred *
override_base_cred(const struct linux_binprm *bprm)
{
	const struct cred *cred = bprm_execns_cred(bprm);

	return cred ? override_creds(cred) : NULL;
}

static inline void revert_base_cred(const struct cred *cred)
{
	if (cred)
		revert_creds(cred);
}

DEFINE_CLASS(base_cred, const struct cred *, revert_base_cred(_T),
	     override_base_cred(bprm), const struct linux_binprm *bprm)

/* Where the credentials are those of the task, this is no scope at all. */
#define scoped_with_base_cred(bprm)	\
	scoped_class(base_cred, __UNIQUE_ID(label), bprm)

/*
 * A path that leads through a descriptor of the caller, or through another
 * process, would bring along what the program is to be rid of.
 */
static inline unsigned int execns_lookup_flags(const struct execns *execns)
{
	return execns ? LOOKUP_NO_MAGICLINKS : 0;
}

#endif /* _LINUX_EXECNS_H */
