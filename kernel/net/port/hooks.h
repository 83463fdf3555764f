/* Where lwIP asks us: lwIP includes it by the name that lwipopts.h gives. */
#pragma once

struct tcp_pcb;
struct tcp_hdr;
signed char port_take_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *segment);

#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) port_take_segment(pcb, hdr)
