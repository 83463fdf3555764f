/*
 * A network card behind its driver: Ethernet frames, polled, by the console's CPU only. A driver is one file of
 * kernel/drivers/net/ that registers itself with NET_DRIVER(); the network takes the first card that one finds.
 */
#pragma once

#include <kernel/register.h>
#include <kernel/types.h>

enum {
	NETDEV_MAC_LEN = 6,
	NETDEV_FRAME_MAX = 1514, /* bytes: 1500 and Ethernet's header, without checksum */
	NETDEV_FRAME_MIN = 14, /* the header alone: less is no frame */
};

struct netdev {
	const char *driver;
	char where[24]; /* "PCI 00:02.0" */
	u8 mac[NETDEV_MAC_LEN];
	u32 node; /* on which its rings lie */
	/* Takes a copy; len from NETDEV_FRAME_MIN to NETDEV_FRAME_MAX. 0, -EAGAIN: no room, -EIO: the card has failed. */
	int (*send)(struct netdev *dev, const void *frame, size_t len);
	/*
	 * The next frame, good until the next call; the card may still write to it, so it is read once. Its length,
	 * NETDEV_FRAME_MIN to NETDEV_FRAME_MAX; -EAGAIN: there is none; -EIO: the card has failed.
	 */
	int (*receive)(struct netdev *dev, const void **frame);
	bool (*link_up)(struct netdev *dev);
	/* Why it has failed, for people, or NULL. */
	const char *(*failure)(struct netdev *dev);
};

struct net_driver {
	const char *name;
	/*
	 * Look for a card, start it, fill *dev. 0; -ENODEV: there is none; else it was found and does not work, and that
	 * was logged. Task context of the console's CPU; may wait.
	 */
	int (*probe)(struct netdev *dev);
};

#define NET_DRIVER(ident) REGISTER(net_driver, ident, "net_drivers")

extern const struct net_driver *const __start_net_drivers[], *const __stop_net_drivers[];
