# Sources of tests/litmus/: SRCS += path.c, SRCS-x86_64 += path.c, SRCS-arm64 += path.c
SRCS += tests/litmus/cmd_litmus.c tests/litmus/common.c tests/litmus/litmus.c tests/litmus/run.c \
	tests/litmus/space.c
SRCS-x86_64 += tests/litmus/x86_64/one.c tests/litmus/x86_64/more.c
SRCS-arm64 += tests/litmus/arm64/single.c tests/litmus/arm64/two.c tests/litmus/arm64/more.c
