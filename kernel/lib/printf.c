/* Formatted output: one parser, any sink. */
#include <kernel/printf.h>
#include <kernel/string.h>
#include <kernel/utf8.h>

struct out {
	printf_sink put;
	void *arg;
	size_t total; /* characters produced so far */
};

struct spec {
	bool left, zero, plus, space, alt;
	int width;
	int precision; /* negative: none given */
	char size; /* 'l' 64 bits, 'h' 16, 'c' 8, 0 = int */
	char conversion;
};

static void emit(struct out *out, const char *s, size_t len)
{
	if (len)
		out->put(out->arg, s, len);
	out->total += len;
}

static void emit_repeated(struct out *out, char c, int count)
{
	char chunk[16];

	memset(chunk, c, sizeof(chunk));
	for (; count > 0; count -= (int)sizeof(chunk))
		emit(out, chunk, (size_t)MIN(count, (int)sizeof(chunk)));
}

static void emit_text(struct out *out, const struct spec *spec, const char *s, size_t len)
{
	int pad = spec->width - (int)len;

	if (!spec->left)
		emit_repeated(out, ' ', pad);
	emit(out, s, len);
	if (spec->left)
		emit_repeated(out, ' ', pad);
}

/* Digits of value, right-aligned before end; returns where they begin. */
static char *digits_of(char *end, u64 value, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; value; value /= base)
		*--end = set[value % base];
	return end;
}

static const char *sign_of(const struct spec *spec, bool negative)
{
	if (negative)
		return "-";
	return spec->plus ? "+" : spec->space ? " " : "";
}

/* What stands before the digits. */
static const char *prefix_of(const struct spec *spec, u64 value, bool negative)
{
	if (spec->conversion == 'd')
		return sign_of(spec, negative);
	if (!spec->alt || !value)
		return "";
	return spec->conversion == 'x' ? "0x" : spec->conversion == 'X' ? "0X" : "";
}

static unsigned base_of(char conversion)
{
	switch (conversion) {
	case 'x':
	case 'X':
		return 16;
	case 'o':
		return 8;
	default:
		return 10;
	}
}

/* Zeros between a prefix and digits of these lengths: for the precision, for "%#o", to fill the width. */
static int zeros_of(const struct spec *spec, int prefix, int digits)
{
	int least = spec->precision < 0 ? 1 : spec->precision;

	if (spec->conversion == 'o' && spec->alt)
		least = MAX(least, digits + 1);
	if (spec->zero && !spec->left && spec->precision < 0)
		least = MAX(least, spec->width - prefix);
	return MAX(least - digits, 0);
}

/* [blanks] prefix [zeros] digits [blanks] */
static void emit_number(struct out *out, const struct spec *spec, u64 value, bool negative)
{
	char buf[24]; /* 64 bits in octal are 22 digits */
	char *end = buf + sizeof(buf);
	char *digits = digits_of(end, value, base_of(spec->conversion), spec->conversion == 'X');
	const char *prefix = prefix_of(spec, value, negative);
	int len = (int)(end - digits), fixed = (int)strlen(prefix);
	int zeros = zeros_of(spec, fixed, len);
	int pad = spec->width - fixed - zeros - len;

	if (!spec->left)
		emit_repeated(out, ' ', pad);
	emit(out, prefix, (size_t)fixed);
	emit_repeated(out, '0', zeros);
	emit(out, digits, (size_t)len);
	if (spec->left)
		emit_repeated(out, ' ', pad);
}

static void emit_string(struct out *out, const struct spec *spec, const char *s)
{
	size_t len;

	if (!s)
		s = "(null)";
	len = spec->precision < 0 ? strlen(s) : strnlen(s, (size_t)spec->precision);
	/* Cut between characters, not inside one. */
	if (len == (size_t)spec->precision)
		len = utf8_whole(s, len);
	emit_text(out, spec, s, len);
}

struct args { /* so that a va_list can be handed down by address on every ABI */
	va_list ap;
};

static int parse_int(const char **fmt, struct args *args)
{
	int n = 0;

	if (**fmt == '*') {
		(*fmt)++;
		return va_arg(args->ap, int);
	}
	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
		n = n < 10000 ? n * 10 + (**fmt - '0') : n;
	return n;
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
	for (;; fmt++) {
		switch (*fmt) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alt = true;
			break;
		default:
			return fmt;
		}
	}
}

static const char *parse_size(const char *fmt, struct spec *spec)
{
	if (*fmt == 'l' || *fmt == 'z') {
		spec->size = 'l';
		fmt += fmt[0] == 'l' && fmt[1] == 'l' ? 2 : 1;
	} else if (*fmt == 'h') {
		spec->size = fmt[1] == 'h' ? 'c' : 'h';
		fmt += fmt[1] == 'h' ? 2 : 1;
	}
	return fmt;
}

/* What stands between % and the end of the conversion; returns what follows. */
static const char *parse_spec(const char *fmt, struct spec *spec, struct args *args)
{
	*spec = (struct spec){.precision = -1};
	fmt = parse_flags(fmt, spec);
	spec->width = parse_int(&fmt, args);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*fmt == '.') {
		fmt++;
		spec->precision = parse_int(&fmt, args);
	}
	fmt = parse_size(fmt, spec);
	spec->conversion = *fmt == 'i' ? 'd' : *fmt;
	return *fmt ? fmt + 1 : fmt;
}

static s64 signed_arg(const struct spec *spec, struct args *args)
{
	if (spec->size == 'l')
		return va_arg(args->ap, long);
	int value = va_arg(args->ap, int);

	return spec->size == 'h' ? (s16)value : spec->size == 'c' ? (s8)value : value;
}

static u64 unsigned_arg(const struct spec *spec, struct args *args)
{
	if (spec->size == 'l')
		return va_arg(args->ap, unsigned long);
	unsigned value = va_arg(args->ap, unsigned);

	return spec->size == 'h' ? (u16)value : spec->size == 'c' ? (u8)value : value;
}

static void convert(struct out *out, struct spec *spec, struct args *args)
{
	s64 value;
	char c;

	switch (spec->conversion) {
	case 'd':
		value = signed_arg(spec, args);
		emit_number(out, spec, value < 0 ? -(u64)value : (u64)value, value < 0);
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		emit_number(out, spec, unsigned_arg(spec, args), false);
		break;
	case 'p':
		spec->conversion = 'x';
		spec->alt = true;
		emit_number(out, spec, (u64)(uintptr_t)va_arg(args->ap, void *), false);
		break;
	case 's':
		emit_string(out, spec, va_arg(args->ap, const char *));
		break;
	case 'c':
		c = (char)va_arg(args->ap, int);
		emit_text(out, spec, &c, 1);
		break;
	case '%':
		emit(out, "%", 1);
		break;
	default: /* the compiler's format check keeps others out */
		emit(out, "%?", 2);
	}
}

int kvprintf_sink(printf_sink put, void *arg, const char *fmt, va_list ap)
{
	struct out out = {.put = put, .arg = arg};
	struct args args;
	struct spec spec;

	va_copy(args.ap, ap);
	while (*fmt) {
		const char *text = fmt;

		while (*fmt && *fmt != '%')
			fmt++;
		emit(&out, text, (size_t)(fmt - text));
		if (*fmt) {
			fmt = parse_spec(fmt + 1, &spec, &args);
			convert(&out, &spec, &args);
		}
	}
	va_end(args.ap);
	return (int)out.total;
}

struct buffer {
	char *at;
	size_t room; /* without the terminator */
};

static void put_buffer(void *arg, const char *s, size_t len)
{
	struct buffer *b = arg;
	size_t n = MIN(len, b->room);

	if (!n)
		return;
	memcpy(b->at, s, n);
	b->at += n;
	b->room -= n;
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct buffer b = {.at = buf, .room = size ? size - 1 : 0};
	int len = kvprintf_sink(put_buffer, &b, fmt, ap);

	if (size)
		*b.at = '\0';
	return len;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int len = kvsnprintf(buf, size, fmt, ap);

	va_end(ap);
	return len;
}
