/*
 * The other end of a D-channel, played by libpri: an exchange or a PBX that this project did not write.
 *
 * A separate program, linked to the system's libpri through its public header alone. The D-channel is a socket
 * of sequenced packets that was handed over by its number: one packet is one frame, address to information,
 * without FCS.
 *
 *     libpri_peer --fd N --node net|cpe --switch NAME [--place CALLS] [options]
 *
 * The last three digits of a called number say what shall become of the call: 000 answered, 019 rings until the
 * caller gives up, 900 not a word, 901 CALL PROCEEDING and not a word more, 902 the same with ALERTING (both until a
 * timer of the caller clears with 102), anything else is the cause it is refused with. Both ends know this and check
 * the end of every call.
 *
 * One line of words a thing that happened on standard output; commands a line on standard input:
 * place N, restart CH|all, service CH STATUS, hangup, report, quit. Leaves when told to or when the socket closes.
 *
 * Licence: MIT OR Apache-2.0.
 */
#include <errno.h>
#include <getopt.h>
#include <libpri.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CALLS_MAX = 20000, CHANNELS = 32, FCS_OCTETS = 2, NUMBER_DIGITS = 8 };
enum { UNACCEPTABLE = 6, NORMAL = 16, NO_RESPONSE = 18, NO_ANSWER = 19, NO_CIRCUIT = 34, NOT_AVAILABLE = 44, TIMER = 102, SILENCE = 900,
       PROCEEDS = 901, ALERTS = 902 };

static const int MIXED[] = {0, 1, 17, 18, 21, 27, 34, 19};

/* What a call waits for. */
enum due { NOTHING, HANG_UP, ANSWER, REFUSE };

struct call {
    q931_call *handle;
    int ours, outcome, channel;
    enum due due;
    long due_millis;
    int cleared_here; /* we sent the first clearing message */
    int cause;        /* what the other end gave as cause; 0 so far none */
    int answered;
    char digits[32];  /* those it has, of a call that comes in */
    const char *more; /* those that are still to go out */
    char number[16];
    int next_live;
};

static struct call calls[CALLS_MAX];
static int call_count, first_live = -1, live_ours;
static long passed, failed, met, complaints;
static int wire = -1, gone, stop, to_place, placed, link_up;
static int channel_busy[CHANNELS];
static struct pri *pri;
/* Options. */
static int only_outcome = -1, at_once = 20, hold_millis = 30, ring_millis = 40, patience_millis = 150;
static int overlap_in, overlap_out = -1, hunt_low = 1, channels_last = 31, alaw = 1, exclusive_always, wait_restart;
static int restarted, quiet;
static char *caller_name, *redirecting;
static long first_millis, last_millis;

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
    printf("complaint %s", text);
    if (!strchr(text, '\n'))
        putchar('\n');
}

static void stay_silent(struct pri *p, char *text)
{
    (void)p;
    (void)text;
}

static struct call *find(q931_call *handle)
{
    for (int i = first_live; i >= 0; i = calls[i].next_live)
        if (calls[i].handle == handle)
            return &calls[i];
    return NULL;
}

static struct call *begin(q931_call *handle, int ours, int outcome, int channel)
{
    if (call_count >= CALLS_MAX)
        return NULL;
    struct call *c = &calls[call_count];
    memset(c, 0, sizeof *c);
    c->handle = handle;
    c->ours = ours;
    c->outcome = outcome;
    c->channel = channel;
    c->next_live = first_live;
    first_live = call_count++;
    channel_busy[channel & 31]++;
    live_ours += ours;
    if (!first_millis)
        first_millis = now_millis();
    return c;
}

static void later(struct call *c, enum due due, long millis)
{
    c->due = due;
    c->due_millis = now_millis() + millis;
}

static void move_to(struct call *c, int channel)
{
    channel &= 0xff;
    if (channel <= 0 || channel >= CHANNELS || channel == c->channel)
        return;
    channel_busy[c->channel & 31]--;
    c->channel = channel;
    channel_busy[channel]++;
}

static void forget(struct call *c)
{
    channel_busy[c->channel & 31]--;
    live_ours -= c->ours;
    last_millis = now_millis();
    for (int *at = &first_live; *at >= 0; at = &calls[*at].next_live)
        if (&calls[*at] == c) {
            *at = c->next_live;
            break;
        }
    c->handle = NULL;
    c->due = NOTHING;
}

/* The call is over: was it what was wanted? A call of ours that met another on its channel is placed anew. */
static void judge(struct call *c)
{
    int stalls = c->outcome == PROCEEDS || c->outcome == ALERTS;
    int kept = c->outcome == 0 || c->outcome == NO_ANSWER || stalls;
    int should_clear_here = kept == c->ours;
    int should_hear = stalls ? TIMER : kept ? NORMAL : c->outcome == SILENCE ? NO_RESPONSE : c->outcome;
    int ok = c->cleared_here == should_clear_here && (c->cleared_here || c->cause == should_hear);
    if (ok) {
        passed++;
    } else if (c->ours && !c->answered && (c->cause == NO_CIRCUIT || c->cause == NOT_AVAILABLE)) {
        met++;
        to_place++;
    } else if (!c->ours && !c->answered && c->cause == UNACCEPTABLE) {
        /* We moved it to a channel that was just taken: the other end places it anew. */
        met++;
    } else {
        failed++;
        printf("wrong %s %03d got %d cleared %s\n", c->ours ? "out" : "in", c->outcome, c->cause,
               c->cleared_here ? "here" : "there");
    }
    forget(c);
}

static int free_channel(void)
{
    for (int i = 1; i <= channels_last; i++) {
        int channel = hunt_low ? i : channels_last + 1 - i;
        if ((channel != 16 || channels_last < 31) && !channel_busy[channel])
            return channel;
    }
    return 0;
}

static int place(void)
{
    int channel = free_channel();
    int outcome = only_outcome >= 0 ? only_outcome : MIXED[placed % (int)(sizeof MIXED / sizeof *MIXED)];
    char caller[] = "5551234", first[16];
    struct call *c;
    struct pri_sr *request;
    q931_call *handle;

    if (channel == 0 || !(handle = pri_new_call(pri)) || !(c = begin(handle, 1, outcome, channel)))
        return 0;
    snprintf(c->number, sizeof c->number, "%05d%03d", placed % 100000, outcome);
    placed++;
    request = pri_sr_new();
    pri_sr_set_channel(request, channel, exclusive_always || placed % 3 != 0, 0);
    pri_sr_set_bearer(request, PRI_TRANS_CAP_SPEECH, alaw ? PRI_LAYER_1_ALAW : PRI_LAYER_1_ULAW);
    if (overlap_out >= 0) {
        snprintf(first, sizeof first, "%.*s", overlap_out, c->number);
        c->more = c->number + strlen(first);
        pri_sr_set_called(request, first, PRI_UNKNOWN, 0);
    } else {
        /* Half say that the number is complete, half leave it to be guessed. */
        pri_sr_set_called(request, c->number, PRI_UNKNOWN, placed % 2);
    }
    pri_sr_set_caller(request, caller, caller_name, PRI_NATIONAL_ISDN,
                      caller_name ? PRES_ALLOWED_USER_NUMBER_PASSED_SCREEN : PRES_PROHIB_USER_NUMBER_NOT_SCREENED);
    if (redirecting)
        pri_sr_set_redirecting(request, redirecting, PRI_NATIONAL_ISDN, PRES_ALLOWED_USER_NUMBER_PASSED_SCREEN,
                               PRI_REDIR_UNCONDITIONAL);
    if (pri_setup(pri, c->handle, request) != 0) {
        printf("wrong out %03d refused by libpri itself\n", outcome);
        failed++;
        forget(c);
    }
    pri_sr_free(request);
    return 1;
}

/* A call whose number is complete gets what its last three digits say. */
static void treat(struct call *c)
{
    size_t digits = strlen(c->digits);
    c->outcome = digits >= 3 ? atoi(c->digits + digits - 3) : 1;
    if (c->outcome == SILENCE)
        return;
    if (c->outcome == PROCEEDS || c->outcome == ALERTS) {
        pri_proceeding(pri, c->handle, c->channel, 0);
        if (c->outcome == ALERTS)
            pri_acknowledge(pri, c->handle, c->channel, 0);
        return;
    }
    if (c->outcome == 0 || c->outcome == NO_ANSWER) {
        pri_proceeding(pri, c->handle, c->channel, 0);
        pri_acknowledge(pri, c->handle, c->channel, call_count % 2);
        if (c->outcome == 0)
            later(c, ANSWER, ring_millis);
        return;
    }
    /* libpri refuses at once with these two; before the others it must have said something. */
    if (overlap_in || (c->outcome != 1 && c->outcome != NO_CIRCUIT)) {
        if (call_count % 2 || overlap_in)
            pri_proceeding(pri, c->handle, c->channel, 0);
        else
            pri_acknowledge(pri, c->handle, c->channel, 0);
    }
    later(c, REFUSE, 10);
}

static void take_call(pri_event_ring *ring)
{
    struct call *c;
    int channel = ring->channel & 0xff;

    if (!quiet)
        printf("ring %s from %s name %s redirected %s reason %d presentation %d\n", ring->callednum,
               ring->callingnum[0] ? ring->callingnum : "-", ring->callingname[0] ? ring->callingname : "-",
               ring->redirectingnum[0] ? ring->redirectingnum : "-", ring->redirectingreason, ring->callingpres);
    if (channel >= CHANNELS || channel_busy[channel]) {
        /* A user may leave the choice to us; else both took the same channel. */
        if (!ring->flexible || !(channel = free_channel())) {
            pri_hangup(pri, ring->call, NOT_AVAILABLE);
            return;
        }
    }
    c = begin(ring->call, 0, 0, channel);
    if (!c)
        return;
    snprintf(c->digits, sizeof c->digits, "%.31s", ring->callednum);
    if (overlap_in && !ring->complete && strlen(c->digits) < NUMBER_DIGITS) {
        c->outcome = -1;
        pri_setup_ack(pri, c->handle, c->channel, 0, 1);
        return;
    }
    treat(c);
}

static void take_digits(pri_event_ring *ring)
{
    struct call *c = find(ring->call);
    if (!c || c->outcome != -1)
        return;
    size_t have = strlen(c->digits);
    snprintf(c->digits + have, sizeof c->digits - have, "%.20s", ring->callednum);
    if (ring->complete || strlen(c->digits) >= NUMBER_DIGITS)
        treat(c);
}

static void hang_up(struct call *c, int cause)
{
    c->cleared_here = 1;
    pri_hangup(pri, c->handle, cause);
    /* A RELEASE COMPLETE is the last word: nothing will be heard of this call again. */
    if (!c->ours && !overlap_in && (cause == 1 || cause == NO_CIRCUIT))
        judge(c);
}

static void act(struct call *c)
{
    enum due due = c->due;
    c->due = NOTHING;
    if (due == ANSWER) {
        c->answered = 1;
        pri_answer(pri, c->handle, c->channel, 0);
        return;
    }
    hang_up(c, due == REFUSE ? c->outcome : NORMAL);
}

static void restarted_by_peer(int channel)
{
    restarted = 1;
    printf("restart %d\n", channel);
    for (int i = first_live; i >= 0;) {
        struct call *c = &calls[i];
        i = c->next_live;
        if (channel != -1 && (channel & 0xff) != c->channel)
            continue;
        /* A restarted call is lost for both: what was wanted of it no longer counts. */
        pri_destroycall(pri, c->handle);
        forget(c);
    }
}

static void on_event(pri_event *e)
{
    struct call *c;
    switch (e->e) {
    case PRI_EVENT_DCHAN_UP:
        link_up = 1;
        puts("up");
        break;
    case PRI_EVENT_DCHAN_DOWN:
        link_up = 0;
        restarted = 0;
        puts("down");
        break;
    case PRI_EVENT_RESTART:
        restarted_by_peer(e->restart.channel);
        break;
    case PRI_EVENT_RESTART_ACK:
        printf("restart_ack %d\n", e->restartack.channel);
        break;
    case PRI_EVENT_SERVICE:
        printf("service %d %d\n", e->service.channel, e->service.changestatus);
        break;
    case PRI_EVENT_SERVICE_ACK:
        printf("service_ack %d %d\n", e->service_ack.channel, e->service_ack.changestatus);
        break;
    case PRI_EVENT_RING:
        take_call(&e->ring);
        break;
    case PRI_EVENT_INFO_RECEIVED:
        take_digits(&e->ring);
        break;
    case PRI_EVENT_SETUP_ACK:
        c = find(e->setup_ack.call);
        if (c)
            move_to(c, e->setup_ack.channel);
        while (c && c->more && *c->more)
            pri_information(pri, c->handle, *c->more++);
        break;
    case PRI_EVENT_PROCEEDING:
        c = find(e->proceeding.call);
        if (c)
            move_to(c, e->proceeding.channel);
        break;
    case PRI_EVENT_RINGING:
        c = find(e->ringing.call);
        if (c)
            move_to(c, e->ringing.channel);
        if (c && c->outcome == NO_ANSWER)
            later(c, HANG_UP, patience_millis);
        break;
    case PRI_EVENT_ANSWER:
        c = find(e->answer.call);
        if (!c)
            break;
        move_to(c, e->answer.channel);
        c->answered = 1;
        if (c->ours && hold_millis >= 0)
            later(c, HANG_UP, hold_millis);
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
        if (c && !c->cleared_here)
            c->cause = c->cause ? c->cause : e->hangup.cause;
        pri_hangup(pri, e->hangup.call, e->hangup.cause);
        if (c)
            judge(c);
        break;
    default:
        break;
    }
}

static void report(void)
{
    int live = 0, answered = 0;
    for (int i = first_live; i >= 0; i = calls[i].next_live) {
        live++;
        answered += calls[i].answered;
    }
    printf("report passed %ld failed %ld met %ld live %d answered %d complaints %ld millis %ld\n", passed, failed, met,
           live, answered, complaints,
           last_millis > first_millis ? last_millis - first_millis : 0);
}

static void command(char *line)
{
    char word[32] = "", first[32] = "", second[32] = "";
    sscanf(line, "%31s %31s %31s", word, first, second);
    if (strcmp(word, "place") == 0) {
        to_place += atoi(first);
    } else if (strcmp(word, "restart") == 0 && strcmp(first, "all") == 0) {
        for (int i = 1; i <= channels_last; i++)
            if (i != 16 || channels_last < 31)
                pri_reset(pri, i);
    } else if (strcmp(word, "restart") == 0) {
        pri_reset(pri, atoi(first));
    } else if (strcmp(word, "service") == 0) {
        pri_maintenance_service(pri, 0, atoi(first), atoi(second));
    } else if (strcmp(word, "hangup") == 0) {
        for (int i = first_live, next; i >= 0; i = next) {
            next = calls[i].next_live;
            hang_up(&calls[i], NORMAL);
        }
    } else if (strcmp(word, "report") == 0) {
        report();
    } else {
        stop = 1;
    }
}

static void read_commands(void)
{
    static char text[1024];
    static size_t have;
    ssize_t n = read(0, text + have, sizeof text - 1 - have);
    char *end;
    if (n <= 0) {
        stop = 1;
        return;
    }
    have += (size_t)n;
    text[have] = 0;
    while ((end = strchr(text, '\n'))) {
        *end = 0;
        command(text);
        have -= (size_t)(end + 1 - text);
        memmove(text, end + 1, have + 1);
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
    for (int i = first_live; i >= 0; i = calls[i].next_live)
        if (calls[i].due != NOTHING && calls[i].due_millis - now < wait)
            wait = calls[i].due_millis - now;
    return wait < 0 ? 0 : (int)wait;
}

static void turn(void)
{
    struct pollfd waiting[2] = {{.fd = wire, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    pri_event *e;
    if (poll(waiting, 2, patience()) > 0) {
        while (!gone && waiting[0].revents && (e = pri_check_event(pri)))
            on_event(e);
        if (waiting[1].revents)
            read_commands();
    }
    while ((e = pri_schedule_run(pri)))
        on_event(e);
    long now = now_millis();
    for (int i = first_live, next; i >= 0; i = next) {
        next = calls[i].next_live;
        if (calls[i].due != NOTHING && calls[i].due_millis <= now)
            act(&calls[i]);
    }
    while (link_up && (restarted || !wait_restart) && to_place > 0 && live_ours < at_once && place())
        to_place--;
}

static int switch_of(const char *name)
{
    static const struct {
        const char *name;
        int type;
    } KNOWN[] = {{"euroisdn", PRI_SWITCH_EUROISDN_E1}, {"euroisdn_t1", PRI_SWITCH_EUROISDN_T1},
                 {"ni2", PRI_SWITCH_NI2},              {"ni1", PRI_SWITCH_NI1},
                 {"dms100", PRI_SWITCH_DMS100},        {"4ess", PRI_SWITCH_ATT4ESS},
                 {"5ess", PRI_SWITCH_LUCENT5E},        {"qsig", PRI_SWITCH_QSIG}};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (strcmp(KNOWN[i].name, name) == 0)
            return KNOWN[i].type;
    return -1;
}

int main(int argc, char **argv)
{
    static const struct option LONG[] = {
        {"fd", 1, 0, 'f'},       {"node", 1, 0, 'n'},        {"switch", 1, 0, 's'},    {"place", 1, 0, 'p'},
        {"outcome", 1, 0, 'o'},  {"at-once", 1, 0, 'a'},     {"hold", 1, 0, 'h'},      {"ring", 1, 0, 'r'},
        {"timer", 1, 0, 't'},    {"overlap-in", 0, 0, 'i'},  {"overlap-out", 1, 0, 'O'}, {"hunt-high", 0, 0, 'H'},
        {"exclusive", 0, 0, 'x'}, {"name", 1, 0, 'N'},       {"redirecting", 1, 0, 'R'}, {"service", 0, 0, 'S'},
        {"wait-restart", 0, 0, 'w'}, {"quiet", 0, 0, 'q'},   {0, 0, 0, 0}};
    struct {
        char *name;
        int value;
    } timers[16];
    int timer_count = 0, net = 0, type = -1, service = 0, option;

    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((option = getopt_long(argc, argv, "", LONG, NULL)) != -1)
        switch (option) {
        case 'f': wire = atoi(optarg); break;
        case 'n': net = strcmp(optarg, "net") == 0; break;
        case 's': type = switch_of(optarg); break;
        case 'p': to_place = atoi(optarg); break;
        case 'o': only_outcome = atoi(optarg); break;
        case 'a': at_once = atoi(optarg); break;
        case 'h': hold_millis = atoi(optarg); break;
        case 'r': ring_millis = atoi(optarg); break;
        case 't':
            if (timer_count < 16 && strchr(optarg, '=')) {
                timers[timer_count].value = atoi(strchr(optarg, '=') + 1);
                *strchr(optarg, '=') = 0;
                timers[timer_count++].name = optarg;
            }
            break;
        case 'i': overlap_in = 1; break;
        case 'O': overlap_out = atoi(optarg); break;
        case 'H': hunt_low = 0; break;
        case 'x': exclusive_always = 1; break;
        case 'N': caller_name = optarg; break;
        case 'R': redirecting = optarg; break;
        case 'S': service = 1; break;
        case 'w': wait_restart = 1; break;
        case 'q': quiet = 1; break;
        default: return 2;
        }
    if (wire < 0 || type < 0) {
        fprintf(stderr, "libpri_peer --fd N --node net|cpe --switch NAME [options]\n");
        return 2;
    }
    if (type != PRI_SWITCH_EUROISDN_E1 && type != PRI_SWITCH_QSIG) {
        channels_last = 23;
        alaw = 0;
    }
    pri_set_error(complain);
    pri_set_message(stay_silent);
    pri = pri_new_cb(wire, net ? PRI_NETWORK : PRI_CPE, type, read_frame, write_frame, NULL);
    if (!pri)
        return 2;
    pri_hangup_fix_enable(pri, 1);
    pri_facility_enable(pri);
    if (overlap_in || overlap_out >= 0)
        pri_set_overlapdial(pri, 1);
    if (service)
        pri_set_service_message_support(pri, 1);
    for (int i = 0; i < timer_count; i++) {
        int which = pri_timer2idx(timers[i].name);
        if (which < 0 || pri_set_timer(pri, which, timers[i].value) != 0) {
            fprintf(stderr, "libpri knows no timer %s\n", timers[i].name);
            return 2;
        }
    }
    while (!gone && !stop)
        turn();
    report();
    return 0;
}
