// SPDX-License-Identifier: GPL-2.0

#include <linux/seq_file.h>

__rust_helper struct user_namespace *
rust_helper_seq_user_ns(struct seq_file *seq)
{
	return seq_user_ns(seq);
}
