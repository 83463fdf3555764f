/* TCP services: listening where the boot line says, and closing. */
#include "serve.h"
#include "net.h"
#include <kernel/printk.h>
#include <kernel/string.h>

bool serve_port(const char *option, const char *text, u16_t *port)
{
	u64 value;

	if (!text)
		return false;
	if (parse_u64(text, &value) || !value || value > 0xffff) {
		printk("boot option %s=%.*s: must be a port from 1 to 65535; not used\n", option,
		       NET_SHOWN, text);
		return false;
	}
	*port = (u16_t)value;
	return true;
}

bool serve_start(const char *option, u16_t port, tcp_accept_fn accept)
{
	struct tcp_pcb *pcb = tcp_new(), *listening = NULL;

	if (pcb && tcp_bind(pcb, IP4_ADDR_ANY, port) == ERR_OK)
		listening = tcp_listen(pcb);
	if (!listening) {
		printk("boot option %s=%u: lwIP refuses the port\n", option, port);
		return false;
	}
	tcp_accept(listening, accept);
	printk("net: %s at TCP port %u\n", option + strlen("net."), port);
	return true;
}

bool serve_accepts(const struct tcp_pcb *pcb, err_t err)
{
	return err == ERR_OK && pcb && pcb->snd_wnd_max >= 2 * TCP_MSS;
}

static void forget(struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_err(pcb, NULL);
}

void serve_stop(struct tcp_pcb *pcb)
{
	if (!pcb)
		return;
	forget(pcb);
	if (tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

void serve_drop(struct tcp_pcb *pcb)
{
	if (!pcb)
		return;
	forget(pcb);
	tcp_abort(pcb);
}
