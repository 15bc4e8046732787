// SPDX-License-Identifier: GPL-2.0

#include <linux/nsproxy.h>
#include <linux/perf_event.h>
#include <linux/time_namespace.h>

#ifndef CONFIG_TIME_NS
__rust_helper void rust_helper_timens_on_fork(struct nsproxy *nsproxy,
					      struct task_struct *tsk)
{
	timens_on_fork(nsproxy, tsk);
}

__rust_helper int
rust_helper_timens_set_offsets(struct time_namespace *time_ns,
			       const struct proc_timens_offset *offsets, int n)
{
	return timens_set_offsets(time_ns, offsets, n);
}
#endif

#ifndef CONFIG_PERF_EVENTS
__rust_helper void rust_helper_perf_event_namespaces(struct task_struct *tsk)
{
	perf_event_namespaces(tsk);
}
#endif
