/*
 * A telephone on a board that the Linux driver runs: takes one call, then places one, with libpri on the D-channel.
 *
 *     libpri_call
 *
 * Span 1, D-channel on channel 16, the side of the customer. In each call it sends 1,100 Hz on the call's channel
 * and listens for 800 Hz from the other end. Prints "ok NAME" or "not ok NAME: why".
 */
#include <dahdi/user.h>
#include <errno.h>
#include <fcntl.h>
#include <libpri.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { D_CHANNEL = 16, BLOCK = 160, RATE = 8000, SENT_HZ = 1100, HEARD_HZ = 800, HALF_SECOND = 4000 };
enum { NORMAL_CLEARING = 16 };

static struct pri *pri;
static q931_call *second;
static int voice = -1, over, placed, failures;
static unsigned sent;
static short heard[HALF_SECOND];
static int heard_count, tone_heard;

static void said(const char *name, int good)
{
	printf("%s %s%s\n", good ? "ok" : "not ok", name, good ? "" : ": it was not");
	failures += !good;
	fflush(stdout);
}

static long millis(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* G.711, A-law, with the even bits turned over. */
static unsigned char to_alaw(int sample)
{
	int sign = sample >= 0 ? 0x80 : 0, magnitude = sample >= 0 ? sample : -sample - 1, segment = 0;
	magnitude >>= 4;
	for (int top = magnitude >> 5; top; top >>= 1)
		segment++;
	int mantissa = segment < 2 ? magnitude >> 1 : magnitude >> segment;
	return (unsigned char)((sign | segment << 4 | (mantissa & 0xF)) ^ 0x55);
}

static short from_alaw(unsigned char octet)
{
	octet ^= 0x55;
	int segment = octet >> 4 & 7, value = (octet & 0xF) << 4;
	value += segment ? 0x108 : 8;
	if (segment > 1)
		value <<= segment - 1;
	return (short)(octet & 0x80 ? value : -value);
}

static int open_channel(int number, int block, int buffers)
{
	int fd = open("/dev/dahdi/channel", O_RDWR | O_NONBLOCK);
	struct dahdi_bufferinfo buffer = {
		.txbufpolicy = DAHDI_POLICY_IMMEDIATE,
		.rxbufpolicy = DAHDI_POLICY_IMMEDIATE,
		.numbufs = buffers,
		.bufsize = block,
	};
	if (fd < 0 || ioctl(fd, DAHDI_SPECIFY, &number) || ioctl(fd, DAHDI_SET_BUFINFO, &buffer)) {
		printf("not ok open: channel %d: %s\n", number, strerror(errno));
		exit(1);
	}
	return fd;
}

/* Whether most of half a second is one tone. */
static int is_tone(int hertz)
{
	double power = 0, real = 0, imaginary = 0;
	for (int n = 0; n < HALF_SECOND; n++) {
		double phase = 2 * M_PI * hertz * n / RATE;
		real += heard[n] * cos(phase);
		imaginary += heard[n] * sin(phase);
		power += (double)heard[n] * heard[n];
	}
	return power > 1e6 * HALF_SECOND / 1000 && 2 * (real * real + imaginary * imaginary) / HALF_SECOND > 0.7 * power;
}

static void send_tone(void)
{
	unsigned char block[BLOCK];
	for (int n = 0; n < BLOCK; n++)
		block[n] = to_alaw((int)(8000 * sin(2 * M_PI * SENT_HZ * (sent + n) / RATE)));
	if (write(voice, block, BLOCK) == BLOCK)
		sent += BLOCK;
}

static void talk(int channel)
{
	voice = open_channel(channel & 0xFF, BLOCK, 32);
	heard_count = tone_heard = 0;
	for (int n = 0; n < 16; n++)
		send_tone();
}

static void hear(void)
{
	unsigned char block[BLOCK];
	int got = read(voice, block, BLOCK), event;
	if (got < 0 && errno == ELAST)
		ioctl(voice, DAHDI_GETEVENT, &event);
	for (int n = 0; n < got; n++) {
		heard[heard_count++] = from_alaw(block[n]);
		if (heard_count == HALF_SECOND) {
			tone_heard |= is_tone(HEARD_HZ);
			heard_count = 0;
		}
	}
	if (got > 0)
		send_tone();
}

static void place(void)
{
	q931_call *call = second = pri_new_call(pri);
	struct pri_sr *wish = pri_sr_new();
	pri_sr_set_channel(wish, 3, 1, 0);
	pri_sr_set_bearer(wish, PRI_TRANS_CAP_SPEECH, PRI_LAYER_1_ALAW);
	pri_sr_set_called(wish, "200", PRI_UNKNOWN, 1);
	pri_sr_set_caller(wish, "100", NULL, PRI_UNKNOWN, PRES_ALLOWED_USER_NUMBER_NOT_SCREENED);
	said("libpri: a call is placed", !pri_setup(pri, call, wish));
	pri_sr_free(wish);
	placed = 1;
}

static long hang_up_at;
static q931_call *own;

static void handle(pri_event *event)
{
	switch (event->e) {
	case PRI_EVENT_RING:
		pri_answer(pri, event->ring.call, event->ring.channel, 0);
		talk(event->ring.channel);
		break;
	case PRI_EVENT_ANSWER:
		own = event->answer.call;
		talk(event->answer.channel);
		hang_up_at = millis() + 6000;
		break;
	case PRI_EVENT_HANGUP:
	case PRI_EVENT_HANGUP_REQ:
		pri_hangup(pri, event->hangup.call, event->hangup.cause);
		/* fall through */
	case PRI_EVENT_HANGUP_ACK:
		if (voice >= 0 && (!placed || event->hangup.call == second)) {
			said(placed ? "libpri: the tone of the call it placed" : "libpri: the tone of the call it took", tone_heard);
			close(voice);
			voice = -1;
		}
		/* What acknowledges the end of the first call comes after the second began. */
		if (!placed)
			place();
		else if (event->hangup.call == second)
			over = 1;
		break;
	}
}

int main(void)
{
	int d = open_channel(D_CHANNEL, 1024, 32);
	pri = pri_new(d, PRI_CPE, PRI_SWITCH_EUROISDN_E1);
	if (!pri)
		return 1;
	pri_hangup_fix_enable(pri, 1);
	long until = millis() + 120000;
	while (!over && millis() < until) {
		struct pollfd waited[2] = {{.fd = d, .events = POLLIN | POLLPRI}, {.fd = voice, .events = POLLIN | POLLPRI}};
		poll(waited, voice >= 0 ? 2 : 1, 20);
		if (waited[0].revents & POLLPRI) {
			int event;
			ioctl(d, DAHDI_GETEVENT, &event);
		}
		pri_event *event = waited[0].revents & POLLIN ? pri_check_event(pri) : NULL;
		if (event)
			handle(event);
		struct timeval now, *next = pri_schedule_next(pri);
		gettimeofday(&now, NULL);
		if (next && !timercmp(&now, next, <) && (event = pri_schedule_run(pri)))
			handle(event);
		if (voice >= 0)
			hear();
		if (own && millis() >= hang_up_at) {
			pri_hangup(pri, own, NORMAL_CLEARING);
			own = NULL;
		}
	}
	said("libpri: both calls are over", over);
	/* What clears the last call may still be on its way. */
	for (int n = 0; n < 20; n++) {
		struct pollfd waited = {.fd = d, .events = POLLIN};
		if (poll(&waited, 1, 50) > 0)
			pri_check_event(pri);
	}
	return failures != 0;
}
