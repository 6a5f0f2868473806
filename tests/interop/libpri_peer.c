/*
 * The other end of a D-channel, played by libpri: an exchange or a PBX that this project did not write.
 *
 * A separate program, linked to the system's libpri through its public header alone. One message of the
 * socket is one frame, address to information, without FCS.
 *
 *     libpri_peer SOCKET net|cpe call|answer CALLS
 *
 * The last three digits of a called number say what shall become of the call: 000 answered, 019 rings until
 * the caller gives up, anything else is the cause it is refused with. Both ends know this and check the end
 * of every call. Leaves when the other end closes the socket; exit status 0 when every call ended as wanted.
 *
 * Licence: MIT OR Apache-2.0.
 */
#include <errno.h>
#include <libpri.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CALLS_MAX = 2000, CALLS_AT_ONCE = 20, CHANNELS = 32, FRAME_OCTETS_MAX = 1024, FCS_OCTETS = 2 };
enum { HOLD_MILLIS = 30, RING_MILLIS = 40, PATIENCE_MILLIS = 150, RUN_SECONDS_MAX = 120 };
enum { NORMAL = 16, NO_ANSWER = 19 };

static const int OUTCOMES[] = {0, 1, 17, 18, 21, 27, 34, 19};

/* What a call waits for. */
enum due { NOTHING, HANG_UP, ANSWER, REFUSE };

struct call {
    q931_call *handle;
    int outcome, channel;
    enum due due;
    long due_millis;
    int cleared_here; /* we sent the first clearing message */
    int cause;        /* what the other end gave as cause; 0 so far none */
    int live;
};

static struct call calls[CALLS_MAX];
static int call_count, passed, failed, complaints;
static int wire, gone, wanted, calling, restarted;
static int channel_busy[CHANNELS];
static struct pri *pri;

static long now_millis(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

/* libpri wants two octets of FCS behind what it reads and adds two behind what it writes. */
static int read_frame(struct pri *p, void *buffer, int room)
{
    ssize_t n = recv(wire, buffer, room - FCS_OCTETS, MSG_DONTWAIT);
    (void)p;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        gone = 1;
        return 0;
    }
    memset((char *)buffer + n, 0, FCS_OCTETS);
    return (int)n + FCS_OCTETS;
}

static int write_frame(struct pri *p, void *buffer, int octets)
{
    (void)p;
    if (send(wire, buffer, octets - FCS_OCTETS, MSG_NOSIGNAL) < 0)
        gone = 1;
    return octets;
}

static void complain(struct pri *p, char *text)
{
    (void)p;
    complaints++;
    fprintf(stderr, "    libpri: %s", text);
}

static void stay_silent(struct pri *p, char *text)
{
    (void)p;
    (void)text;
}

static struct call *find(q931_call *handle)
{
    for (int i = 0; i < call_count; i++)
        if (calls[i].live && calls[i].handle == handle)
            return &calls[i];
    return NULL;
}

static void later(struct call *c, enum due due, long millis)
{
    c->due = due;
    c->due_millis = now_millis() + millis;
}

/* The call is over: was it what was wanted? */
static void judge(struct call *c)
{
    int rings_or_talks = c->outcome == 0 || c->outcome == NO_ANSWER;
    int should_clear_here = rings_or_talks == calling;
    int should_hear = rings_or_talks ? NORMAL : c->outcome;
    int ok = c->cleared_here == should_clear_here && (c->cleared_here || c->cause == should_hear);
    if (ok) {
        passed++;
    } else {
        failed++;
        printf("    wanted %03d, got cause %d, cleared %s\n", c->outcome, c->cause,
               c->cleared_here ? "here" : "there");
    }
    c->live = 0;
    c->due = NOTHING;
    if (calling)
        channel_busy[c->channel & 31] = 0;
}

static void begin_call(void)
{
    char called[16], caller[] = "5551234";
    int channel = 0, outcome = OUTCOMES[call_count % (int)(sizeof OUTCOMES / sizeof *OUTCOMES)];
    struct call *c = &calls[call_count];
    struct pri_sr *request;

    for (int i = 1; i < CHANNELS && channel == 0; i++)
        if (i != 16 && !channel_busy[i])
            channel = i;
    if (channel == 0)
        return;
    snprintf(called, sizeof called, "%05d%03d", call_count, outcome);
    c->handle = pri_new_call(pri);
    c->outcome = outcome;
    c->channel = channel;
    c->live = 1;
    channel_busy[channel] = 1;
    call_count++;
    request = pri_sr_new();
    pri_sr_set_channel(request, channel, call_count % 3 != 0, 0);
    pri_sr_set_bearer(request, PRI_TRANS_CAP_SPEECH, PRI_LAYER_1_ALAW);
    /* Half say that the number is complete, half leave it to be guessed. */
    pri_sr_set_called(request, called, PRI_UNKNOWN, call_count % 2);
    pri_sr_set_caller(request, caller, NULL, PRI_NATIONAL_ISDN, PRI_PRES_RESTRICTED);
    if (pri_setup(pri, c->handle, request) != 0) {
        printf("    pri_setup refused\n");
        failed++;
        c->live = 0;
    }
    pri_sr_free(request);
}

static void take_call(pri_event_ring *ring)
{
    size_t digits = strlen(ring->callednum);
    struct call *c = &calls[call_count];
    if (call_count >= CALLS_MAX)
        return;
    call_count++;
    c->handle = ring->call;
    c->channel = ring->channel;
    c->outcome = digits >= 3 ? atoi(ring->callednum + digits - 3) : 1;
    c->live = 1;
    if (c->outcome == 0 || c->outcome == NO_ANSWER) {
        pri_proceeding(pri, c->handle, c->channel, 0);
        pri_acknowledge(pri, c->handle, c->channel, call_count % 2);
        if (c->outcome == 0)
            later(c, ANSWER, RING_MILLIS);
        return;
    }
    /* libpri refuses at once with these two; before the others it must have said something. */
    if (c->outcome != 1 && c->outcome != 34) {
        if (call_count % 2)
            pri_proceeding(pri, c->handle, c->channel, 0);
        else
            pri_acknowledge(pri, c->handle, c->channel, 0);
    }
    later(c, REFUSE, 10);
}

static void act(struct call *c)
{
    enum due due = c->due;
    c->due = NOTHING;
    if (due == ANSWER) {
        pri_answer(pri, c->handle, c->channel, 0);
        return;
    }
    c->cleared_here = 1;
    pri_hangup(pri, c->handle, due == REFUSE ? c->outcome : NORMAL);
    /* A RELEASE COMPLETE is the last word: nothing will be heard of this call again. */
    if (due == REFUSE && (c->outcome == 1 || c->outcome == 34))
        judge(c);
}

static void on_event(pri_event *e)
{
    struct call *c;
    switch (e->e) {
    /* The other end restarts the interface when the link is up: what begins before is void. */
    case PRI_EVENT_RESTART:
        restarted = 1;
        break;
    case PRI_EVENT_DCHAN_DOWN:
        restarted = 0;
        break;
    case PRI_EVENT_RING:
        take_call(&e->ring);
        break;
    case PRI_EVENT_RINGING:
        c = find(e->ringing.call);
        if (c && c->outcome == NO_ANSWER)
            later(c, HANG_UP, PATIENCE_MILLIS);
        break;
    case PRI_EVENT_ANSWER:
        c = find(e->answer.call);
        if (c && calling)
            later(c, HANG_UP, HOLD_MILLIS);
        break;
    case PRI_EVENT_HANGUP_REQ:
        c = find(e->hangup.call);
        if (c) {
            c->cause = c->cause ? c->cause : e->hangup.cause;
            c->due = NOTHING;
        }
        pri_hangup(pri, e->hangup.call, e->hangup.cause);
        break;
    case PRI_EVENT_HANGUP:
    case PRI_EVENT_HANGUP_ACK:
        c = find(e->hangup.call);
        pri_hangup(pri, e->hangup.call, e->hangup.cause);
        if (c) {
            c->cause = c->cause ? c->cause : e->hangup.cause;
            judge(c);
        }
        break;
    default:
        break;
    }
}

/* Milliseconds until something is due, at most a second. */
static int patience(void)
{
    long now = now_millis(), wait = 1000;
    struct timeval *next = pri_schedule_next(pri), clock;
    if (next) {
        gettimeofday(&clock, NULL);
        long left = (next->tv_sec - clock.tv_sec) * 1000L + (next->tv_usec - clock.tv_usec) / 1000L + 1;
        wait = left < wait ? left : wait;
    }
    for (int i = 0; i < call_count; i++)
        if (calls[i].due != NOTHING && calls[i].due_millis - now < wait)
            wait = calls[i].due_millis - now;
    return wait < 0 ? 0 : (int)wait;
}

static void turn(void)
{
    struct pollfd waiting = {.fd = wire, .events = POLLIN};
    pri_event *e;
    int live = 0;
    if (poll(&waiting, 1, patience()) > 0)
        while (!gone && (e = pri_check_event(pri)))
            on_event(e);
    while ((e = pri_schedule_run(pri)))
        on_event(e);
    long now = now_millis();
    for (int i = 0; i < call_count; i++) {
        if (calls[i].due != NOTHING && calls[i].due_millis <= now)
            act(&calls[i]);
        live += calls[i].live;
    }
    while (calling && restarted && call_count < wanted && live < CALLS_AT_ONCE) {
        begin_call();
        live++;
    }
}

static int accept_one(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof name.sun_path)
        return -1;
    strcpy(name.sun_path, path);
    unlink(path);
    if (door < 0 || bind(door, (struct sockaddr *)&name, sizeof name) != 0 || listen(door, 1) != 0)
        return -1;
    puts("ready");
    fflush(stdout);
    return accept(door, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 5 || (wanted = atoi(argv[4])) < 1 || wanted > CALLS_MAX) {
        fprintf(stderr, "libpri_peer SOCKET net|cpe call|answer CALLS(1..%d)\n", CALLS_MAX);
        return 2;
    }
    calling = strcmp(argv[3], "call") == 0;
    alarm(RUN_SECONDS_MAX + 10);
    wire = accept_one(argv[1]);
    if (wire < 0) {
        perror(argv[1]);
        return 2;
    }
    pri_set_error(complain);
    pri_set_message(stay_silent);
    pri = pri_new_cb(wire, strcmp(argv[2], "net") == 0 ? PRI_NETWORK : PRI_CPE, PRI_SWITCH_EUROISDN_E1,
                     read_frame, write_frame, NULL);
    if (!pri)
        return 2;
    pri_hangup_fix_enable(pri, 1);
    long end = now_millis() + RUN_SECONDS_MAX * 1000L;
    while (!gone && now_millis() < end)
        turn();
    int open = wanted - passed - failed;
    printf("  libpri: %d calls as wanted, %d not, %d open; %d complaints\n", passed, failed, open, complaints);
    return failed == 0 && open == 0 && complaints == 0 ? 0 : 1;
}
