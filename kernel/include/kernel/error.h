/* Error codes: functions return 0 or a positive result, or one of these negated. */
#pragma once

enum {
	EPERM = 1, /* refused by policy */
	ENOENT = 2, /* no such thing */
	EINTR = 4, /* stopped by Ctrl-C */
	EIO = 5, /* device or firmware misbehaved */
	EAGAIN = 11, /* transient: try again */
	ENOMEM = 12, /* no memory on the nodes allowed */
	EFAULT = 14, /* address not mapped, or access not allowed */
	EBUSY = 16, /* in use, pinned or isolated by somebody else */
	EEXIST = 17,
	ENODEV = 19, /* no such device */
	EINVAL = 22,
	ERANGE = 34, /* value out of range */
	ENOTSUP = 95, /* this CPU, ISA or configuration cannot */
	ETIMEDOUT = 110, /* somebody did not answer */
};
