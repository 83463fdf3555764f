/*
 * What lwIP is built with: the raw interface, IPv4, TCP, UDP, DHCP, DNS and SNTP; no threads, no sockets. Nothing of
 * it grows: every pool has a fixed number of elements, and a stack that has run out drops frames.
 */
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 /* one CPU polls, and no interrupt handler calls it */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0

#define LWIP_IPV6 0
#define LWIP_DHCP 1
#define LWIP_DNS 1
#define DNS_TABLE_SIZE 3 /* names at a time: those of the log, of the time and of results */
#define DNS_MAX_SERVERS 1
#define DNS_MAX_NAME_LENGTH 64
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define IP_REASSEMBLY 0 /* a fragment is work for later, on behalf of anybody */
#define IP_FRAG 0
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_HOSTNAME 1

#define MEM_ALIGNMENT 8
#define MEM_SIZE (64 * 1024) /* bytes: what waits to be sent */
#define PBUF_POOL_SIZE 32 /* frames that were received and not yet taken */
#define MEMP_NUM_TCP_PCB 32 /* connections, those that time out included */
#define MEMP_NUM_TCP_PCB_LISTEN 4
#define MEMP_NUM_UDP_PCB 8 /* DHCP, the log, the time, and one for each name that is asked about */
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 2) /* SNTP has two */
#define MEMP_NUM_TCP_SEG 128
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG                                                                 \
	12 /* half-open, of each service: one more is dropped, and its sender waits for seconds */

#define TCP_MSL                                                                                    \
	5000 /* ms: a test network is small, and a closed connection keeps its place for twice as long */
#define TCP_MSS 1460 /* bytes: an Ethernet frame's 1500 without two headers of 20 */
#define TCP_WND (8 * TCP_MSS)
#define TCP_SND_BUF (16 * TCP_MSS)
#define TCP_SND_QUEUELEN 32
#define LWIP_TCP_KEEPALIVE 1 /* a client that went away without a word must not keep its place */

/* SNTP: the server of the boot line only, and only answers to what was asked. */
extern unsigned short port_ntp;
void port_set_time(unsigned int s, unsigned int us);
void port_get_time(unsigned int *s, unsigned int *us);
#define SNTP_PORT port_ntp
#define SNTP_STARTUP_DELAY 0
#define SNTP_CHECK_RESPONSE 2
#define SNTP_COMP_ROUNDTRIP                                                                        \
	0 /* its sums overflow where a server says anything; records say milliseconds */
#define SNTP_RETRY_TIMEOUT 15000 /* ms */
#define SNTP_SET_SYSTEM_TIME_US(s, us) port_set_time(s, us)
#define SNTP_GET_SYSTEM_TIME(s, us) port_get_time(&(s), &(us))

#define LWIP_HOOK_FILENAME "hooks.h"

#define LWIP_STATS 1
#define LWIP_STATS_DISPLAY 0
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define ICMP_STATS 0
#define TCP_STATS 0
#define UDP_STATS 0
#define SYS_STATS 0
