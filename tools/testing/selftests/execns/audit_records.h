/* SPDX-License-Identifier: GPL-2.0 */
/* To be the audit daemon: rules, and the records of an event. */
#ifndef _AUDIT_RECORDS_H
#define _AUDIT_RECORDS_H

#include "execnsat_test.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#define MAX_PATHS 6
#define KEY "execns"

struct audit_msg {
	struct nlmsghdr header;
	union {
		struct audit_status status;
		struct audit_rule_data rule;
		struct nlmsgerr err;
		char data[8970];
	};
};

/* The records of one event, each without what identifies this. Empty if there is none. */
struct audit_event {
	unsigned long serial;
	char syscall[1024], execve[8192], cwd[512], fcaps[512], proctitle[512];
	char path[MAX_PATHS][512];
	int paths;
};

static int audit_fd;

/* The settings that were there before, and are again in the end. */
static struct audit_status audit_before;

static inline int audit_recv(struct audit_msg *msg, int timeout)
{
	struct pollfd poll_fd = { .fd = audit_fd, .events = POLLIN };
	ssize_t n;

	if (poll(&poll_fd, 1, timeout) != 1)
		return -ETIMEDOUT;
	n = recv(audit_fd, msg, sizeof(*msg) - 1, 0);
	if (n < 0)
		return -errno;
	((char *)msg)[n] = '\0';
	return 0;
}

/* Records that come in between are of no interest. */
static inline int audit_request(struct audit_msg *msg, int type, size_t size)
{
	static struct audit_msg reply;
	int error;

	msg->header = (struct nlmsghdr){
		.nlmsg_len = NLMSG_SPACE(size), .nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};
	if (send(audit_fd, msg, msg->header.nlmsg_len, 0) < 0)
		return -errno;
	do {
		error = audit_recv(&reply, 5000);
	} while (!error && reply.header.nlmsg_type != NLMSG_ERROR);
	return error ?: reply.err.error;
}

static inline int audit_get(struct audit_status *status)
{
	static struct audit_msg msg;
	int error;

	/* Without asking for an answer as well, which may come after it. */
	msg.header = (struct nlmsghdr){
		.nlmsg_len = NLMSG_SPACE(0), .nlmsg_type = AUDIT_GET, .nlmsg_flags = NLM_F_REQUEST,
	};
	if (send(audit_fd, &msg, msg.header.nlmsg_len, 0) < 0)
		return -errno;
	do {
		error = audit_recv(&msg, 5000);
		if (!error && msg.header.nlmsg_type == NLMSG_ERROR)
			return msg.err.error;
	} while (!error && msg.header.nlmsg_type != AUDIT_GET);
	*status = msg.status;
	return error;
}

/* One setting, which is all that the kernel looks at. */
static inline int audit_set(unsigned int mask, unsigned int value)
{
	struct audit_msg msg = {
		.status = { .mask = mask, .enabled = value, .pid = value, .backlog_limit = value },
	};

	return audit_request(&msg, AUDIT_SET, sizeof(msg.status));
}

/*
 * Become the daemon. Tasks that are forked from now on are audited, also where audit=1
 * was not said at boot.
 */
static inline int audit_open(void)
{
	int size = 1 << 20;

	audit_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (audit_fd < 0)
		return -errno;
	setsockopt(audit_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return audit_get(&audit_before) ?: audit_set(AUDIT_STATUS_PID, getpid()) ?:
	       audit_set(AUDIT_STATUS_BACKLOG_LIMIT, 8192) ?:
	       audit_set(AUDIT_STATUS_ENABLED, 1);
}

static inline void audit_close(void)
{
	audit_set(AUDIT_STATUS_ENABLED, audit_before.enabled);
	audit_set(AUDIT_STATUS_BACKLOG_LIMIT, audit_before.backlog_limit);
	audit_set(AUDIT_STATUS_PID, 0);
	close(audit_fd);
}

/* A field of a rule: a number, or a string. */
struct audit_field {
	unsigned int field, value;
	const char *text;
};

/*
 * -a exit,always -S CALL... -F FIELD... -k KEY, for children of this process. Call with
 * AUDIT_DEL_RULE and the same to remove it.
 */
static inline int audit_rule(int type, const int *calls, const struct audit_field *fields, int nr)
{
	struct audit_msg msg = { 0 };
	struct audit_rule_data *rule = &msg.rule;
	int i;

	rule->flags = AUDIT_FILTER_EXIT;
	rule->action = AUDIT_ALWAYS;
	for (; *calls >= 0; calls++)
		rule->mask[AUDIT_WORD(*calls)] |= AUDIT_BIT(*calls);
	for (i = 0; i < nr; i++) {
		rule->fields[i] = fields[i].field;
		rule->fieldflags[i] = AUDIT_EQUAL;
		rule->values[i] = fields[i].text ? strlen(fields[i].text) : fields[i].value;
		if (fields[i].text) {
			memcpy(rule->buf + rule->buflen, fields[i].text, rule->values[i]);
			rule->buflen += rule->values[i];
		}
	}
	rule->fields[i] = AUDIT_FILTERKEY;
	rule->fieldflags[i] = AUDIT_EQUAL;
	rule->values[i] = strlen(KEY);
	memcpy(rule->buf + rule->buflen, KEY, strlen(KEY));
	rule->buflen += strlen(KEY);
	rule->field_count = nr + 1;
	return audit_request(&msg, type, sizeof(*rule) + rule->buflen);
}

static inline void keep_record(struct audit_event *event, int type, const char *text)
{
	switch (type) {
	case AUDIT_SYSCALL:
		snprintf(event->syscall, sizeof(event->syscall), "%s", text);
		break;
	case AUDIT_EXECVE:
		snprintf(event->execve + strlen(event->execve),
			 sizeof(event->execve) - strlen(event->execve), "%s", text);
		break;
	case AUDIT_CWD:
		snprintf(event->cwd, sizeof(event->cwd), "%s", text);
		break;
	case AUDIT_BPRM_FCAPS:
		snprintf(event->fcaps, sizeof(event->fcaps), "%s", text);
		break;
	case AUDIT_PROCTITLE:
		snprintf(event->proctitle, sizeof(event->proctitle), "%s", text);
		break;
	case AUDIT_PATH:
		if (event->paths < MAX_PATHS)
			snprintf(event->path[event->paths], sizeof(event->path[0]), "%s", text);
		event->paths++;
		break;
	}
}

/* The next event of our rules. False if there is none within @timeout milliseconds. */
static inline bool audit_next(struct audit_event *event, int timeout)
{
	static struct audit_msg msg;
	unsigned long serial;
	char *text;

	memset(event, 0, sizeof(*event));
	while (!audit_recv(&msg, timeout)) {
		if (msg.header.nlmsg_type < AUDIT_SYSCALL ||
		    sscanf(msg.data, "audit(%*u.%*u:%lu)", &serial) != 1)
			continue;
		text = strstr(msg.data, "): ");
		if (msg.header.nlmsg_type == AUDIT_SYSCALL && !event->serial &&
		    strstr(msg.data, "key=\"" KEY "\""))
			event->serial = serial;
		if (!event->serial || serial != event->serial)
			continue;
		if (msg.header.nlmsg_type == AUDIT_EOE)
			return true;
		keep_record(event, msg.header.nlmsg_type, text + 3);
	}
	return false;
}

/* What follows " KEY=" in a record, in a buffer that the next but seven calls reuse. */
static inline const char *record_get(const char *record, const char *key)
{
	static char values[8][4096];
	static int next;
	char *value = values[next++ % 8];
	size_t len = strlen(key);
	const char *at = record;

	while (at) {
		if (!strncmp(at, key, len) && at[len] == '=') {
			at += len + 1;
			snprintf(value, 4096, "%.*s", (int)strcspn(at, " "), at);
			return value;
		}
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return strcpy(value, "(none)");
}

#endif
