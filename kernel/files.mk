# Sources of kernel/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
