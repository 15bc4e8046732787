// SPDX-License-Identifier: GPL-2.0
/*
 * A program that does nothing, so that nearly all hits are those of its start. It
 * is an interpreter as well. Without the C library, which would do something.
 */
int main(void)
{
	return 42;
}
