/* The C library's header, which lwIP's SNTP includes, and uses for messages that are not built. */
#pragma once
