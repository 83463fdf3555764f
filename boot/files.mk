# Sources of boot/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
SRCS-x86_64 += \
	boot/x86_64/entry.S boot/x86_64/trampoline.S boot/x86_64/main.c boot/x86_64/console.c \
	boot/x86_64/discover.c
