/*
 * Judges an emulated board through the unmodified Linux driver, inside a guest.
 *
 *     linux_driver SPANS CHANNELS TEST…
 *
 * SPANS spans of CHANNELS channels each were configured and started by dahdi_cfg; the board's spans are crossed in
 * pairs (1 with 2, 3 with 4…). Each TEST prints "ok NAME" or "not ok NAME: why". Conditions on the lines are set
 * through the board's test registers, so that what follows on the bus comes after them.
 *
 *     green            every span comes up without alarm
 *     audio            four channels of every pair carry octets both ways without an error
 *     frames:CHANNEL   HDLC frames of 4 to 260 octets cross on that channel of every span, both ways
 *     bits:LIST        all 16 patterns of signalling bits cross on the listed channels of every span, both ways
 *     bits4:LIST       as bits, with the A and B bits alone
 *     back             the board at the other end of the cables sends back what it hears: audio and frames of all
 *                      tests after this one come from the span itself
 *     bye:CHANNEL      tells whoever is there that it is over
 *     red, blue        LOS on the first span, AIS on the last, shown by the driver and cleared after
 *     yellow           the far end's remote alarm shown and cleared
 *     interworking     E1 with CRC-4 towards a far end without it: the span recovers when the far end has it again
 */
#include <dahdi/user.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 160, PREFILL_BLOCKS = 12, SPANS_MAX = 8 };
enum { DOOR = 0x78, DOOR_MILLIS = 0x7C };
enum { MEND = 0, LOS = 1, AIS = 3, RAI = 4, NO_CRC4 = 6, HOLD = 9, FREE = 0xFFFF };

static int spans, channels, control, sends_back;
static volatile uint32_t *board;

static int failures;

static void verdict(const char *name, const char *why, ...)
{
	if (!why) {
		printf("ok %s\n", name);
	} else {
		va_list values;
		printf("not ok %s: ", name);
		va_start(values, why);
		vprintf(why, values);
		va_end(values);
		printf("\n");
		failures++;
	}
	fflush(stdout);
}

static uint64_t millis(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* The board's registers, through the file the kernel has for its first region. */
static void open_board(void)
{
	char path[192], line[128];
	FILE *list = popen("for d in /sys/bus/pci/drivers/wct4xxp/0000:*; do echo $d/vendor; done", "r");
	if (!list || !fgets(line, sizeof line, list)) {
		printf("not ok board: no board on the bus\n");
		exit(1);
	}
	pclose(list);
	line[strcspn(line, "\n")] = 0;
	*strrchr(line, '/') = 0;
	snprintf(path, sizeof path, "%s/resource", line);
	FILE *resource = fopen(path, "r");
	unsigned long long address = 0;
	if (!resource || fscanf(resource, "%llx", &address) != 1)
		exit(1);
	fclose(resource);
	snprintf(path, sizeof path, "%s/resource0", line);
	int fd = open(path, O_RDWR | O_SYNC);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		printf("not ok board: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	board = (volatile uint32_t *)(page + (address & 0xFFF));
}

static void line_of(int span, int what)
{
	board[DOOR / 4] = (uint32_t)what << 24 | (uint32_t)(span - 1) << 16;
}

/* So many milliseconds of the board may pass, and then none; FREE: all. In lockstep a program that feeds channels has
 * to say how fast it can: a busy machine would run it too late otherwise. */
static void let_pass(int count)
{
	board[DOOR / 4] = (uint32_t)HOLD << 24 | (uint32_t)count;
}

static uint32_t ticks(void)
{
	return board[DOOR_MILLIS / 4];
}

/* Waits for ticks of the board; gives up after four times as long by the guest's clock, and 2 s. */
static void pass_ticks(uint32_t count)
{
	uint32_t begun = ticks();
	uint64_t until = millis() + 4ull * count + 2000;
	while (ticks() - begun < count && millis() < until)
		usleep(5000);
}

static int alarms_of(int span)
{
	struct dahdi_spaninfo info;
	memset(&info, 0, sizeof info);
	info.spanno = span;
	return ioctl(control, DAHDI_SPANSTAT, &info) ? -1 : info.alarms;
}

/* Waits until span SPAN shows all of WANTED and none of UNWANTED; the alarms it showed last. */
static int await_alarms(int span, int wanted, int unwanted, int limit_millis, int *seen)
{
	uint64_t until = millis() + limit_millis;
	do {
		*seen = alarms_of(span);
		if ((*seen & wanted) == wanted && !(*seen & unwanted))
			return 1;
		usleep(10000);
	} while (millis() < until);
	return 0;
}

static const int ALL = 0xFFFF;

static int all_green(const char *name, int limit_millis)
{
	for (int span = 1; span <= spans; span++) {
		int seen;
		if (!await_alarms(span, 0, ALL & ~DAHDI_ALARM_NOTOPEN, limit_millis, &seen)) {
			verdict(name, "span %d still shows alarms %#x", span, seen);
			return 0;
		}
	}
	return 1;
}

static int channel_number(int span, int channel)
{
	return (span - 1) * channels + channel;
}

static int open_channel(int span, int channel, int block, int buffers)
{
	int number = channel_number(span, channel);
	int fd = open("/dev/dahdi/channel", O_RDWR | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, DAHDI_SPECIFY, &number)) {
		verdict("open", "channel %d: %s", number, strerror(errno));
		exit(1);
	}
	struct dahdi_bufferinfo buffer = {
		.txbufpolicy = DAHDI_POLICY_IMMEDIATE,
		.rxbufpolicy = DAHDI_POLICY_IMMEDIATE,
		.numbufs = buffers,
		.bufsize = block,
	};
	if (ioctl(fd, DAHDI_SET_BUFINFO, &buffer))
		verdict("open", "channel %d: buffers: %s", number, strerror(errno));
	return fd;
}

static uint32_t mixed(uint32_t n)
{
	n ^= n >> 16;
	n *= 0x7FEB352Du;
	n ^= n >> 15;
	n *= 0x846CA68Bu;
	return n ^ n >> 16;
}

/* Octet N of what CHANNEL of SPAN sends. */
static unsigned char sent_octet(int span, int channel, uint32_t n)
{
	return mixed(n * 2654435761u + span * 977 + channel * 131) & 0xFF;
}

struct stream {
	int fd, span, channel, from;
	uint32_t sent, compared, bad;
	int64_t offset;
};

static void send_block(struct stream *s)
{
	unsigned char block[BLOCK];
	for (int i = 0; i < BLOCK; i++)
		block[i] = sent_octet(s->span, s->channel, s->sent + i);
	if (write(s->fd, block, BLOCK) == BLOCK)
		s->sent += BLOCK;
}

/* Where in what the peer sent this block begins; -1 when nowhere near. */
static int64_t located(struct stream *s, const unsigned char *block, uint32_t until)
{
	for (uint32_t at = 0; at < until; at++) {
		int i = 0;
		while (i < 32 && block[i] == sent_octet(s->from, s->channel, at + i))
			i++;
		if (i == 32)
			return at;
	}
	return -1;
}

static void receive_block(struct stream *s, uint32_t peer_sent)
{
	unsigned char block[BLOCK];
	int got = read(s->fd, block, BLOCK);
	if (got < 32)
		return;
	if (s->offset < 0) {
		s->offset = located(s, block, peer_sent);
		if (s->offset < 0)
			return;
	}
	for (int i = 0; i < got; i++) {
		s->bad += block[i] != sent_octet(s->from, s->channel, s->offset++);
		s->compared++;
	}
}

/* The span at the other end of SPAN's line. */
static int peer_of(int span)
{
	return sends_back ? span : ((span - 1) ^ 1) + 1;
}

static void audio(uint32_t octets)
{
	const int chosen[4] = {1, 2, channels == 24 ? 13 : 17, channels == 24 ? 23 : 31};
	struct stream streams[SPANS_MAX * 4];
	int count = 0;
	let_pass(0);
	for (int span = 1; span <= spans; span++)
		for (int i = 0; i < 4; i++) {
			struct stream *s = &streams[count++];
			*s = (struct stream){
				.fd = open_channel(span, chosen[i], BLOCK, 32),
				.span = span,
				.channel = chosen[i],
				.from = peer_of(span),
				.offset = -1,
			};
		}
	for (int i = 0; i < count; i++)
		for (int n = 0; n < PREFILL_BLOCKS; n++)
			send_block(&streams[i]);
	uint64_t until = millis() + 120000;
	uint32_t least = 0;
	while (least < octets && millis() < until) {
		let_pass(BLOCK / 8);
		least = UINT32_MAX;
		for (int i = 0; i < count; i++) {
			struct stream *s = &streams[i];
			struct stream *peer = &streams[(peer_of(s->span) - 1) * 4 + i % 4];
			struct pollfd waited = {.fd = s->fd, .events = POLLIN};
			/* The 20 ms bring a block to every channel. */
			poll(&waited, 1, 3000);
			if (waited.revents & POLLIN) {
				receive_block(s, peer->sent);
				send_block(s);
			} else if (waited.revents) {
				int event;
				ioctl(s->fd, DAHDI_GETEVENT, &event);
			}
			if (s->compared < least)
				least = s->compared;
		}
	}
	let_pass(FREE);
	uint32_t bad = 0, compared = 0;
	for (int i = 0; i < count; i++) {
		struct stream *s = &streams[i];
		bad += s->bad;
		compared += s->compared;
		if (s->bad || s->compared < octets)
			printf("  span %d channel %d: %u of %u octets bad\n", s->span, s->channel, s->bad, s->compared);
		close(s->fd);
	}
	if (bad || least < octets)
		verdict("audio", "%u bad octets of %u, at least %u on each of %d channels", bad, compared, least, count);
	else {
		printf("  %u octets on %d channels\n", compared, count);
		verdict("audio", NULL);
	}
}

static void bye(int channel)
{
	const unsigned char word[] = {0xE0, 0x0D, 'b', 'y', 'e', 0, 0};
	int fd = open_channel(1, channel, 1024, 32);
	for (int i = 0; i < 3; i++) {
		if (write(fd, word, sizeof word) != sizeof word)
			verdict("bye", "%s", strerror(errno));
		pass_ticks(50);
	}
	close(fd);
}

static int frame_octets(int n)
{
	const int sizes[] = {4, 5, 28, 29, 30, 31, 32, 33, 60, 61, 62, 64, 100, 127, 128, 200, 255, 258, 259, 260};
	return sizes[n % (int)(sizeof sizes / sizeof *sizes)];
}

static int take_frame(int fd, unsigned char *frame, int size, int limit_millis)
{
	uint64_t until = millis() + limit_millis;
	do {
		struct pollfd waited = {.fd = fd, .events = POLLIN | POLLPRI};
		poll(&waited, 1, 100);
		int got = read(fd, frame, size);
		if (got >= 0)
			return got;
		int event;
		if (errno == ELAST)
			ioctl(fd, DAHDI_GETEVENT, &event);
	} while (millis() < until);
	return -1;
}

static void frames(int channel)
{
	char name[32];
	int fds[SPANS_MAX];
	snprintf(name, sizeof name, "frames on channel %d", channel);
	for (int span = 1; span <= spans; span++)
		fds[span - 1] = open_channel(span, channel, 1024, 32);
	/* A receiver that was never synchronised loses what runs before its first flags. */
	pass_ticks(50);
	int good = 0;
	for (int n = 0; n < 20; n++)
		for (int span = 1; span <= spans; span++) {
			unsigned char sent[512], got[512];
			int octets = frame_octets(n + span);
			for (int i = 0; i < octets; i++)
				sent[i] = sent_octet(span, n, i);
			/* The driver wants room for the check sequence, and gives it back. */
			if (write(fds[span - 1], sent, octets + 2) != octets + 2) {
				verdict(name, "span %d: write of %d octets: %s", span, octets, strerror(errno));
				return;
			}
			int size = take_frame(fds[peer_of(span) - 1], got, sizeof got, 10000);
			if (size != octets + 2 || memcmp(sent, got, octets)) {
				verdict(name, "span %d: frame %d of %d octets came as %d", span, n, octets, size);
				return;
			}
			good++;
		}
	for (int span = 1; span <= spans; span++)
		close(fds[span - 1]);
	printf("  %d frames\n", good);
	verdict(name, NULL);
}

static void bits(const char *list, int mask)
{
	int chosen[32], count = 0;
	for (const char *at = list; *at && count < 32; at += strspn(at, ","))
		chosen[count++] = strtol(at, (char **)&at, 10);
	int fds[SPANS_MAX][32];
	for (int span = 1; span <= spans; span++)
		for (int i = 0; i < count; i++)
			fds[span - 1][i] = open_channel(span, chosen[i], BLOCK, 4);
	for (int round = 0; round < 16; round++) {
		for (int span = 1; span <= spans; span++)
			for (int i = 0; i < count; i++) {
				int value = (round + 3 * i + 5 * span) & mask;
				/* All zeros everywhere would imitate the multiframe's alignment signal. */
				if (ioctl(fds[span - 1][i], DAHDI_SETTXBITS, &value)) {
					verdict("bits", "span %d channel %d: %s", span, chosen[i], strerror(errno));
					return;
				}
			}
		for (int span = 1; span <= spans; span++)
			for (int i = 0; i < count; i++) {
				int expected = (round + 3 * i + 5 * peer_of(span)) & mask, seen = -1;
				uint64_t until = millis() + 10000;
				do {
					ioctl(fds[span - 1][i], DAHDI_GETRXBITS, &seen);
					if (seen == expected)
						break;
					usleep(5000);
				} while (millis() < until);
				if (seen != expected) {
					verdict("bits", "span %d channel %d: %x came as %x", span, chosen[i], expected, seen);
					return;
				}
			}
	}
	for (int span = 1; span <= spans; span++)
		for (int i = 0; i < count; i++)
			close(fds[span - 1][i]);
	printf("  16 patterns on %d channels of %d spans\n", count, spans);
	verdict("bits", NULL);
}

static void red_and_blue(void)
{
	int seen, dark = 1, ones = spans;
	line_of(dark, LOS);
	line_of(ones, AIS);
	uint64_t begun = millis();
	if (await_alarms(dark, DAHDI_ALARM_RED | DAHDI_ALARM_LOS, 0, 20000, &seen)) {
		printf("  red after %llu ms\n", (unsigned long long)(millis() - begun));
		verdict("red", NULL);
	} else {
		verdict("red", "span %d without signal shows %#x", dark, seen);
	}
	if (await_alarms(ones, DAHDI_ALARM_BLUE, 0, 20000, &seen))
		verdict("blue", NULL);
	else
		verdict("blue", "span %d with AIS shows %#x", ones, seen);
	/* Their far ends hear of it; spans that have nothing to do with it show nothing. */
	for (int span = 1; span <= spans; span++) {
		if (span == dark || span == ones)
			continue;
		int told = span == peer_of(dark) || span == peer_of(ones);
		if (!await_alarms(span, told ? DAHDI_ALARM_YELLOW : 0, told ? DAHDI_ALARM_RED : ALL, 10000, &seen))
			verdict("others", "span %d shows %#x", span, seen);
	}
	line_of(dark, MEND);
	line_of(ones, MEND);
	if (await_alarms(dark, DAHDI_ALARM_RECOVER, DAHDI_ALARM_RED, 10000, &seen))
		verdict("recover", NULL);
	else
		verdict("recover", "span %d shows %#x after its signal is back", dark, seen);
	if (all_green("red and blue clear", 60000))
		verdict("red and blue clear", NULL);
}

static void yellow(void)
{
	int seen;
	line_of(1, RAI);
	if (await_alarms(1, DAHDI_ALARM_YELLOW, DAHDI_ALARM_RED | DAHDI_ALARM_BLUE, 10000, &seen))
		verdict("yellow", NULL);
	else
		verdict("yellow", "span 1 shows %#x", seen);
	line_of(1, MEND);
	if (all_green("yellow clears", 60000))
		verdict("yellow clears", NULL);
}

static void interworking(void)
{
	int seen;
	line_of(1, NO_CRC4);
	/* The driver then asks the far end for help: it shows yellow. */
	if (!await_alarms(peer_of(1), DAHDI_ALARM_YELLOW, 0, 20000, &seen)) {
		verdict("interworking", "without CRC-4 the far end shows %#x", seen);
		return;
	}
	line_of(1, MEND);
	if (all_green("interworking", 60000))
		verdict("interworking", NULL);
}

int main(int count, char **words)
{
	if (count < 4)
		return 2;
	spans = atoi(words[1]);
	channels = atoi(words[2]);
	open_board();
	control = open("/dev/dahdi/ctl", O_RDWR);
	if (control < 0 || spans < 1 || spans > SPANS_MAX) {
		verdict("start", "/dev/dahdi/ctl: %s", strerror(errno));
		return 1;
	}
	for (int i = 3; i < count; i++) {
		const char *test = words[i];
		uint64_t begun = millis();
		if (!strcmp(test, "green")) {
			if (all_green("green", 60000))
				verdict("green", NULL);
		} else if (!strcmp(test, "audio"))
			audio(16000);
		else if (!strncmp(test, "frames:", 7))
			frames(atoi(test + 7));
		else if (!strncmp(test, "bits:", 5))
			bits(test + 5, 15);
		else if (!strncmp(test, "bits4:", 6))
			bits(test + 6, 12);
		else if (!strcmp(test, "alarms")) {
			red_and_blue();
			yellow();
		} else if (!strcmp(test, "interworking"))
			interworking();
		else if (!strcmp(test, "back"))
			sends_back = 1;
		else if (!strncmp(test, "bye:", 4))
			bye(atoi(test + 4));
		else
			verdict(test, "no such test");
		printf("  %s took %llu ms\n", test, (unsigned long long)(millis() - begun));
	}
	printf("judged %d failures at %u ticks\n", failures, ticks());
	return failures != 0;
}
