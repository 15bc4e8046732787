// SPDX-License-Identifier: GPL-2.0

#include <asm/syscall.h>
#include <linux/compat.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>

__rust_helper void rust_helper_current_syscall_arguments(unsigned long args[6])
{
	syscall_get_arguments(current, current_pt_regs(), args);
}

__rust_helper bool rust_helper_current_has_seccomp(void)
{
	return test_syscall_work(SECCOMP);
}

__rust_helper bool rust_helper_in_compat_syscall(void)
{
	return in_compat_syscall();
}

__rust_helper bool rust_helper_in_x32_syscall(void)
{
#ifdef CONFIG_X86_X32_ABI
	return in_x32_syscall();
#else
	return false;
#endif
}
