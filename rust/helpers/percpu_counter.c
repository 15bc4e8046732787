// SPDX-License-Identifier: GPL-2.0

#include <linux/percpu_counter.h>

__rust_helper s64
rust_helper_percpu_counter_sum_positive(struct percpu_counter *fbc)
{
	return percpu_counter_sum_positive(fbc);
}
