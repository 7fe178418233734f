/**
 * Every bound of the product, with its unit and the reason for its size. Reaching one is a defined, visible answer.
 * Relations between them are asserted at the end of this file.
 */
import { assert } from './errors.ts'

// --- what one operation may hold -------------------------------------------------------------------------------

/** UTF-8 bytes of a path. Longer names do not fit a technician's screen, and one frame of RS-485 must hold a few. */
export const PATH_BYTES_MAX = 256
/** Segments of a path. Deeper trees are not seen in device state; NATS and the JSON mirror stop near here too. */
export const PATH_SEGMENTS_MAX = 16
/** CBOR bytes of one value. A set-point, a table, a small schedule; anything larger is a file and belongs elsewhere. */
export const VALUE_BYTES_MAX: number = 16 * 1024
/** Nesting of one value. */
export const VALUE_DEPTH_MAX = 16
/** Writes in one operation: one transaction over a machine's points. */
export const WRITES_PER_OPERATION_MAX = 64
/** Guards in one operation. */
export const GUARDS_PER_OPERATION_MAX = 64
/** CBOR bytes of one operation. */
export const OPERATION_BYTES_MAX: number = 48 * 1024
/** CBOR bytes that a value may have after `append`; a longer list refuses the operation. */
export const APPENDED_BYTES_MAX: number = VALUE_BYTES_MAX
/**
 * Items that a list may have after `append`. Whoever is told of each `append` gets the whole list, which takes 8 bytes of memory for
 * each item, however small that is: so many take as much as the largest text.
 */
export const APPENDED_ITEMS_MAX: number = APPENDED_BYTES_MAX / 8

/**
 * CBOR bytes of the rules of one device: 512 points at their usual size. One operation sets them whole, and leaves room in its
 * frame for all that is around it.
 */
export const RULES_BYTES_MAX: number = 32 * 1024
/** Points in the rules of one device: every resource of a profile, and what its drivers keep beside them. */
export const RULES_POINTS_MAX = 1024
/** Of these, patterns: each is tried on a point that no other rule names. */
export const RULES_PATTERNS_MAX = 32

// --- what travels ---------------------------------------------------------------------------------------------

/** Bytes of one frame on any link. Every broker that was measured carries it; AWS stops at 128 KiB. */
export const FRAME_BYTES_MAX: number = 64 * 1024
/** Nesting of a frame: the envelope, the batch, the message, the operation, the write, and then a value. */
export const FRAME_DEPTH_MAX: number = VALUE_DEPTH_MAX + 8
/** Operations in one batch: one signature, one replay. */
export const OPERATIONS_PER_BATCH_MAX = 256
/**
 * Bytes of operations after which a batch is closed, so that a frame always holds it. What is counted is the most that each may
 * take: some 140 bytes for a change that takes 40, and 15 when deflated. As many of these as a batch may hold fit.
 */
export const BATCH_BYTES_TARGET: number = 36 * 1024
/** Bytes of drafts that are settled in one record: each may become a conflict in it, which takes twice as much. */
export const SETTLED_DRAFTS_BYTES_TARGET: number = 8 * 1024
/** Bytes of a batch before it is deflated: no more than a frame, so that a small frame cannot become a large message. */
export const BATCH_BYTES_MAX: number = FRAME_BYTES_MAX
/** Bytes from which a batch is deflated: below, it costs more time on a small processor than the bytes are worth. */
export const BATCH_DEFLATE_FROM_BYTES = 512
/** Batches of an answer that are sent at once; the next ones follow when the link has room, so that none is blocked by an answer. */
export const BATCHES_PER_ANSWER_STEP_MAX = 32
/** Batches that answer one request; the asker asks again. Half of what Mosquitto keeps by default for a client that is slower. */
export const BATCHES_PER_ANSWER_MAX = 512
/** Bytes of batches that answer one request. */
export const ANSWER_BYTES_MAX: number = 256 * 1024

/** Bytes of a snapshot in one chunk: a slow serial line carries it within a few seconds. */
export const TRANSFER_CHUNK_BYTES: number = 32 * 1024
/** Snapshots that are kept for others to fetch; each may be large. */
export const TRANSFERS_MAX = 2
/** Time for which one encoded snapshot serves all who need one: what has come behind it since they ask for, as whatever they lack. */
export const SNAPSHOT_SHARED_MS = 10_000
/** Times that one chunk is asked for in vain before the fetch is given up. */
export const TRANSFER_ATTEMPTS_MAX = 8
/** Time for which a node that asks again is offered the same snapshot: one of 256 KiB needs it at 115,200 baud. */
export const OFFER_HOLD_MS = 30_000
/** The same once its last chunk was sent: it may still be under way. */
export const OFFER_SERVED_HOLD_MS = 10_000
/** UTF-8 bytes of the reason with which a join is refused: one line. */
export const REFUSAL_BYTES_MAX = 256
/** Bytes of the proof of enrolment in a join request, and of what of it stays in the member's point: 300 with a token. */
export const PROOF_BYTES_MAX = 512
/** Bytes of a signature: Ed25519 has 64; a COSE envelope around it some more. */
export const SIGNATURE_BYTES_MAX = 512
/** Bytes of a public key: Ed25519, RFC 8032. */
export const KEY_BYTES = 32
/** Enrolment tokens that are revoked in one fleet; each stands in every epoch from then on. */
export const REVOKED_TOKENS_MAX = 256
/** Drafts that the operator lets in by name in one epoch; those that have joined leave it with the next one. */
export const ADMITTED_MAX = 64
/** Bytes of the operator's signature over one of them: Ed25519. */
export const GRANT_BYTES_MAX = 64

// --- what a node keeps ----------------------------------------------------------------------------------------

/** Members of one fleet. A version vector of this size is about 100 KiB in memory and is sent as differences. */
export const MEMBERS_MAX = 2048
/**
 * Member ids that joins leave for the operator: members and retired ones, who are counted twice because an announcement may
 * hold two entries of each, may be so many more than MEMBERS_MAX. A full fleet can still part with dead nodes.
 */
const RETIREMENTS_RESERVED = 128
/**
 * Member ids that anything which names all of them may hold: each side of a split may fill the fleet up, so that there are
 * more than MEMBERS_MAX after it.
 */
export const MEMBER_IDS_MAX: number = MEMBERS_MAX + RETIREMENTS_RESERVED
/**
 * Bytes of batches with joins that were cut, each counted for every join in it, as it stands in a snapshot; of those that something
 * here has hung on or waits for twice as many. All the joins that a fleet may have take a quarter of it.
 */
export const CUT_JOINS_BYTES_MAX: number = 4 * 1024 * 1024
/** Member ids that were ever retired in one fleet: all of it. */
export const EPOCH_RETIRED_MAX: number = MEMBER_IDS_MAX / 2
/**
 * How far the number of an epoch may lie above that of the last one that the operator's folder holds, which a backup may have set
 * back. Numbers only grow, and a gateway proposes them: after the highest of all nobody could be retired any more.
 */
export const EPOCH_LEAP_MAX = 1000
/** Ranges of originals of one member that have come back; two ends of at most 9 bytes each, so that a value holds them. */
export const CAME_BACK_RANGES_MAX = 512
/** Operations that a draft may make before it is a member. */
export const DRAFTS_MAX = 10_000
/** Bytes of memory that they may take: a few hundred of the longest values, and far less than a journal, which they become part of. */
export const DRAFTS_BYTES_MAX: number = 16 * 1024 * 1024
/** Bytes of frames that a relay leaves to others to pass on, for twice RELAY_PATIENCE_MAX_MS at most; what finds no place goes at once. */
export const RELAY_BYTES_MAX: number = ANSWER_BYTES_MAX
/** Members of whom a relay remembers when it has asked on its other links for somebody that it does not know; in 30 KiB. */
export const QUESTIONS_ASKERS_MAX = 256
/** Such questions that wait at one time, for a fraction of a second each; whoever finds no place asks again. */
export const QUESTIONS_WAITING_MAX = 16
/**
 * Frames that a node that is no member remembers to have passed on, in a MiB: those of REPEAT_QUIET_MIN_MS on the busiest link. No
 * more are passed on in that time: whoever forgets one sooner passes it on again when it comes round.
 */
export const REPEAT_FRAMES_MAX = 4096
/** Bytes of frames that wait there to be passed on, for a fraction of a second each: one answer as large as it gets. */
export const REPEAT_BYTES_MAX: number = 2 * ANSWER_BYTES_MAX
/** Drafts whose request to join a member remembers at one time; each asks again. */
export const CANDIDATES_MAX = 64
/** Messages in the waiting list and the deferred queue together: 50 members come back with 300 each, in any order. */
export const WAITING_MESSAGES_MAX: number = 16 * 1024
/** Bytes of batches that wait, by what they are worth in memory; the same rule. */
export const WAITING_BYTES_MAX: number = 8 * 1024 * 1024
/**
 * Bytes of memory that a list, a map or a byte string takes besides what it holds (Node, 64 bits): an empty one is a single byte of a
 * message, so that what waits is not bounded by its bytes alone.
 */
export const CONTAINER_BYTES = 200
/** Of these, messages of all nodes together whose join is not known: a small part, so that members always get through. */
export const WAITING_STRANGERS_MESSAGES_MAX: number = WAITING_MESSAGES_MAX / 16
/** Bytes of batches of the same. */
export const WAITING_STRANGERS_BYTES_MAX: number = WAITING_BYTES_MAX / 4
/** Messages of one such node: a few of the largest batches, since its join comes sooner than that. */
export const WAITING_STRANGER_MESSAGES_MAX = 256
/** Bytes of batches of the same: a few of the largest frames. */
export const WAITING_STRANGER_BYTES_MAX: number = 4 * FRAME_BYTES_MAX
/** Operations in the journal at which the operator is warned: some member has not been heard for long. */
export const JOURNAL_OPERATIONS_WARNING = 200_000
/** Operations in the journal at which local operations, and drafts that ask to join, are refused, so that a Pi with 512 MiB survives. */
export const JOURNAL_OPERATIONS_MAX = 400_000
/** Operations of another member above the floor that it announces: more than its journal takes, and what it has drafted in some lives. */
export const MEMBER_OPERATIONS_MAX: number = 2 * JOURNAL_OPERATIONS_MAX
/** Bytes of memory that the operations in the journal take, at which the operator is warned as above. */
export const JOURNAL_BYTES_WARNING: number = 96 * 1024 * 1024
/** Bytes of memory at which local operations and drafts that ask to join are refused too: few long values weigh as much as many short ones. */
export const JOURNAL_BYTES_MAX: number = 192 * 1024 * 1024
/** Bytes of memory of what is open of another member, as MEMBER_OPERATIONS_MAX counts it. */
export const MEMBER_BYTES_MAX: number = 2 * JOURNAL_BYTES_MAX
/**
 * Stages by which an operation may lie above all that is held if what it follows is held with another stage, or was cut: two lives
 * of one member are as far apart as a journal is long. Whoever names more wants to use up the stages of the fleet.
 */
export const STAGE_LEAP_MAX: number = JOURNAL_OPERATIONS_MAX
/**
 * Highest stage in the snapshot of another node: a fleet that makes a million changes a second gets there in 142 years. Whoever took
 * one in with the last stage there is could issue nothing behind it.
 */
export const SNAPSHOT_STAGE_MAX: number = 2 ** 52
/** Paths in the device-state object. */
export const PATHS_MAX = 100_000
/** Paths that are known to be valid, so that they are neither checked nor kept twice: some 200 bytes each. */
export const KNOWN_PATHS_MAX = 16_384
/** Conflicts that are kept for people; the oldest goes first and the number that went is shown. */
export const CONFLICTS_MAX = 1000
/** Operations of the last undo that are kept for people, and as many of those that led to it: a screen full, 1.5 MiB at most. */
export const UNDONE_SHOWN_MAX = 16
/** Causes of alarms that are told apart: a few of each member. */
export const ALARM_CAUSES_MAX = 4096
/** Watches of one gateway. */
export const WATCHES_MAX = 256
/** Our last version vectors, by which the digests of others are understood: those of some minutes of steady work. */
export const OWN_VECTORS_MAX = 128
/** Entries in which a version vector may differ from the one that it is kept beside; a copy of the whole is rarer then. */
export const VECTOR_CHANGES_MAX = 32
/** Digests of past floors that are kept to find a divergence. */
export const FLOOR_DIGESTS_MAX = 64
/** Points of the settled state that are digested at one look: 5 ms on a PC, 50 ms on a Pi 3. The next look goes on. */
export const STATE_DIGEST_POINTS_PER_LOOK_MAX = 2048
/** Announcements that a draft keeps until it knows the keys of those who have made them: the newest of each. */
export const WITNESSES_MAX = 64
/** Stages of whose state it keeps what a member whose key it knows has announced: those of some intervals. */
export const WITNESS_MARKS_MAX = 4
/** Time in which a draft takes no welcome of a sponsor whose state other members contradict. */
export const DISTRUST_MS: number = 10 * 60_000
/** Time in which nothing more is fetched of a node whose snapshot could not be adopted: each is as large as the state. */
export const SNAPSHOT_REFUSED_MS = 30_000

// --- telemetry: readings that are no operations -----------------------------------------------------------------

/** Points that one member reports as telemetry: every point in the rules of its device. */
export const TELEMETRY_POINTS_PER_MEMBER_MAX: number = RULES_POINTS_MAX
/** Readings of others that are held; the one that was heard longest ago goes first. Some 320 points in each of 50 members. */
export const TELEMETRY_READINGS_MAX: number = 16 * 1024
/** Bytes of paths and values of the same, by what they are worth in memory. */
export const TELEMETRY_BYTES_MAX: number = 4 * 1024 * 1024
/** CBOR bytes of one value: a number, a short text, a few axes. What is larger is no reading that the next one replaces. */
export const TELEMETRY_VALUE_BYTES_MAX = 512
/** Readings in one message. */
export const TELEMETRY_READINGS_PER_MESSAGE_MAX = 128
/** Bytes of readings after which a message is closed: a line of 9,600 baud carries it in one second. */
export const TELEMETRY_MESSAGE_BYTES_TARGET = 1024
/** Time in which what is reported together is gathered into one message. */
export const TELEMETRY_GATHER_MS = 100
/** Shortest time between two messages of new readings; in proportion longer from ANNOUNCE_INTERVAL_MEMBERS on. */
export const TELEMETRY_INTERVAL_MS = 1000
/** Time after which a member says all its readings again: for newcomers, and for what was lost. */
export const TELEMETRY_REFRESH_MS = 60_000
/** Members up to which this holds; in larger fleets it grows in proportion: ten points of everybody cost each node 25 B/s. */
export const TELEMETRY_REFRESH_MEMBERS = 4
/** Refreshes that a reading may miss before it is stale: one may be lost, and the next be late. */
export const TELEMETRY_STALE_REFRESHES = 3
/** Longest intervals of announcements that a member may miss before its readings are stale. */
export const TELEMETRY_STALE_INTERVALS = 3
/** Such intervals after which a reading that nobody says again is forgotten: an hour in a small fleet. */
export const TELEMETRY_FORGET_INTERVALS = 120
/** Time between two looks whether readings of others have become stale, or do not stand any more. */
export const TELEMETRY_LOOK_MS = 5000
/** Messages of telemetry that wait for a link; further ones are dropped until the next refresh. */
export const TELEMETRY_QUEUE_FRAMES_MAX = 64

// --- clock-free timers, milliseconds on the monotonic clock -----------------------------------------------------

/** Shortest interval between two announcements of one member (Imin of RFC 6206). */
export const ANNOUNCE_INTERVAL_MIN_MS = 1000
/** Longest interval between two announcements while nothing changes (Imax): signed ones of a fleet are then some 100 B/s over MQTT. */
export const ANNOUNCE_INTERVAL_MAX_MS = 48_000
/** Points of which a gateway remembers when it saw them change: all of a large fleet, in some 2 MiB. */
export const CHANGE_AGES_MAX = 16_384
/** Members up to which these intervals hold; in larger fleets they grow in proportion, so that idle traffic per node stays flat. */
export const ANNOUNCE_INTERVAL_MEMBERS = 16
/** First delay before a gap is asked for: out-of-order delivery usually closes it sooner. */
export const REQUEST_DELAY_MS = 50
/** First delay before the same gap is asked for again; doubled each time. */
export const REQUEST_RETRY_MS = 500
/** Longest delay between two requests for the same gap. */
export const REQUEST_DELAY_MAX_MS = 30_000
/**
 * Requests without an answer, some four minutes, after which nobody is thought to know the join that operations wait for: whoever
 * held it may have lost it, and then they would wait for ever.
 */
export const JOIN_REQUESTS_MAX = 10
/**
 * Announcements of a member that do not know of an operation, after which whoever said that it had issued that one is found out:
 * some may have been under way when it was said.
 */
export const CLAIM_ANNOUNCEMENTS = 4
/** Time in which nobody sends an operation that a member says that there is, after which people are told: a slow line needs some. */
export const CLAIM_PATIENCE_MS: number = 5 * 60_000
/** Delay within which those who could answer a request, or tell what they hold, wait for another who does it. */
export const ANSWER_DELAY_MAX_MS = 200
/** Time between two steps of an answer on a link that has room: whoever else answers the same is heard in it. */
export const ANSWER_STEP_MS = 5
/** How many times as long they wait in a large fleet: what was sent a moment ago has then arrived, and few speak at once. */
export const ANSWER_DELAY_GROWTH_MAX = 10

/** Time, or up to twice as long, that a relay gives others who have brought to a link what a member says: what a failure of theirs costs. */
export const RELAY_PATIENCE_MIN_MS = 1000
/** The same where they were too slow for that: a bus at 9600 baud on which some frames wait. */
export const RELAY_PATIENCE_MAX_MS = 8000
/** Time in which a node that is no member does not pass the same frame on again; below REQUEST_RETRY_MS, and doubled each time. */
export const REPEAT_QUIET_MIN_MS = 400
/** Longest such time: below the longest time between two requests that are the same. */
export const REPEAT_QUIET_MAX_MS = 12_000

/** Delay within which a member that could sponsor a draft waits for another one to do it. */
export const SPONSOR_DELAY_MAX_MS = 500
/** Shortest interval between two requests of a draft to join. */
export const JOIN_INTERVAL_MIN_MS = 1000
/** Longest interval between two requests of a draft that nobody takes in. */
export const JOIN_INTERVAL_MAX_MS = 32_000

// --- storage --------------------------------------------------------------------------------------------------

/** Bytes of one journal segment: zero-filled once, then recycled. */
export const SEGMENT_BYTES: number = 1024 * 1024
/** Bytes to which a batch is padded: one page of the card and of ext4. */
export const STORAGE_PAGE_BYTES = 4096
/** Bytes of one stored record. */
export const RECORD_BYTES_MAX: number = FRAME_BYTES_MAX
/** Bytes that the store adds to each record: its length and its checksum. */
export const STORED_RECORD_HEADER_BYTES = 8
/** Bytes of one stored batch, its records with their headers; it must fit a segment with the headers of its pages. */
export const STORED_BATCH_BYTES_MAX: number = 512 * 1024
/** Bytes of one snapshot: PATHS_MAX paths at an ordinary size, and what a Pi with 512 MiB can hold while it reads one. */
export const SNAPSHOT_BYTES_MAX: number = 128 * 1024 * 1024
/**
 * Bytes of memory that the snapshot of another node may take, a list, a map, a byte string and an operation as CONTAINER_BYTES besides
 * what it holds: PATHS_MAX points, and a journal that is full, which is 246 MiB when its operations are ordinary ones.
 */
export const SNAPSHOT_MEMORY_BYTES_MAX: number = 3 * SNAPSHOT_BYTES_MAX
/** Bytes of a snapshot that are summed and written in one step, so that the loop is free again after a few milliseconds. */
export const SNAPSHOT_STEP_BYTES: number = 256 * 1024
/** Points or batches of a snapshot that are encoded in one step: 3 ms on a desktop, below 20 ms on a Pi. */
export const SNAPSHOT_STEP_ITEMS = 200
/** Bytes of an export that is read: the largest snapshot and a journal of twice its size, as base64. */
export const EXPORT_FILE_BYTES_MAX: number = 512 * 1024 * 1024
/** Damaged files that are kept as evidence; the oldest goes first. */
export const EVIDENCE_FILES_MAX = 8
/** Journal bytes after which a snapshot is cut, or twice the snapshot if that is more. */
export const SNAPSHOT_JOURNAL_BYTES: number = 8 * 1024 * 1024
/** Bytes free on the data directory's file system below which people are warned: logs fill a card within days. */
export const DISK_FREE_WARNING_BYTES: number = 64 * 1024 * 1024
/** Bytes free below which local changes are refused; the rest is for what was taken already, for others' and a snapshot. */
export const DISK_FREE_REFUSAL_BYTES: number = 16 * 1024 * 1024
/** Bytes of the data directory at which people are warned: snapshots cannot be written, or the state is very large. */
export const STORE_BYTES_WARNING: number = 768 * 1024 * 1024
/** Bytes of the data directory at which local changes are refused: two snapshots and twice their journal, and some room. */
export const STORE_BYTES_MAX: number = 1024 * 1024 * 1024
/** Time between two looks at the room on the disk. */
export const DISK_CHECK_MS = 10_000
/** Own changes that wait for a slow disk, at which further ones are refused: a card catches up with them in seconds. */
export const PENDING_OPERATIONS_MAX = 8192
/** Records that wait for a slow disk; a commit takes a few hundred at a time. */
export const PENDING_RECORDS_MAX = 4096
/** Bytes of the same. */
export const PENDING_RECORD_BYTES_MAX: number = 8 * 1024 * 1024
/** How many times as much may wait before frames of others are dropped too; they are asked for again. */
export const PENDING_REMOTE_FACTOR = 2
/** Time that a commit may wait while a link is busy with the one before, so that a fast disk does not make a frame of each change. */
export const COMMIT_GATHER_MS = 1
/** The same while frames wait in a link already: as long as a frame on a line of 9600 baud takes, and short for whoever awaits it. */
export const COMMIT_CONGESTED_MS = 100
/** Pause before a snapshot is tried again that could not be written. */
export const SNAPSHOT_RETRY_MS = 60_000
/** Pause before a commit is tried again after the disk was full. */
export const DISK_RETRY_MS = 2000
/** Window in which telemetry is gathered into one commit. */
export const BATCHED_COMMIT_WINDOW_MS = 1000
/** Milliseconds for which volatile ones are gathered: the longest that a power cut may cost of them. */
export const VOLATILE_COMMIT_WINDOW_MS = 5000

// --- enrolment ------------------------------------------------------------------------------------------------

/** Member ids that may join with one token: a whole fleet written from one image. */
export const TOKEN_USES_MAX: number = MEMBERS_MAX
/** Days for which a token is good unless its maker says otherwise: a roll-out, and not the life of a lost card. */
export const TOKEN_DAYS_DEFAULT = 30
/** Longest time for which a token can be made: ten years. */
export const TOKEN_DAYS_MAX = 3650
/** Seconds since 1970 when this release was made, 2026-11-22: no clock stands before it. Raised with each release. */
export const RELEASE_SECONDS = 1_795_305_600
/** Bytes of a seed file: facts, a token, and the servers of every link. */
export const SEED_BYTES_MAX: number = 256 * 1024
/** Bytes of an epoch that is handed from machine to machine as a file. */
export const EPOCH_FILE_BYTES_MAX: number = 256 * 1024
/** Gap between two looks whether an epoch is on the disk; a commit takes a few of them. */
export const EPOCH_STORED_POLL_MS = 5
/** Public keys that are kept ready for use: every member's, and those that ask to become one. */
export const KNOWN_KEYS_MAX: number = MEMBERS_MAX

// --- devices: identity, profiles, readings ----------------------------------------------------------------------

/** UTF-8 bytes of an operator's node name or instance label: one line on a screen and on a sticker. */
export const IDENTITY_TEXT_BYTES_MAX = 64
/** Bytes that are read of one file that may name the hardware; /proc/cpuinfo of a large machine stays below. */
export const IDENTITY_FILE_BYTES_MAX: number = 1024 * 1024
/** Network interfaces that are looked at for a permanent address; a host of many containers shows thousands. */
export const IDENTITY_INTERFACES_MAX = 4096
/** Bytes of one device profile: some 500 resources. Parsing takes a desktop half a second, and a Pi some seconds. */
export const PROFILE_BYTES_MAX: number = 256 * 1024
/** Nesting of a profile's YAML, counted with the value of an attribute; the parser behind it is recursive. */
export const PROFILE_DEPTH_MAX: number = VALUE_DEPTH_MAX + 8
/** Resources of one profile. */
export const PROFILE_RESOURCES_MAX = 512
/** Commands of one profile. */
export const PROFILE_COMMANDS_MAX = 256
/** Entries of any other list or map of a profile: labels, tags, attributes, operations of a command. */
export const PROFILE_ENTRIES_MAX = 64
/** Characters of a name in a profile; a path joins a few of them. */
export const PROFILE_NAME_LENGTH_MAX = 64
/** Characters of a description, and of any other text in a profile. */
export const PROFILE_TEXT_LENGTH_MAX = 1024
/** Problems that are reported of one profile; people correct the first ones first. */
export const PROFILE_PROBLEMS_MAX = 20
/** Time between two looks at the file of a profile: who has saved it looks at the result within a second or two. */
export const PROFILE_POLL_MS = 1000
/** Time after a change of the file before it is read: an editor may still be writing. */
export const PROFILE_SETTLE_MS = 100
/** Values in one enumeration. */
export const ENUM_VALUES_MAX = 64
/** Characters of a pattern. */
export const PATTERN_LENGTH_MAX = 256
/** Characters of a text that a pattern is tried on: it bounds what a backtracking matcher can cost. */
export const PATTERN_TEXT_LENGTH_MAX = 256
/** Shortest interval between two readings of one resource. */
export const READING_INTERVAL_MIN_MS = 100
/** Longest interval between two readings of one resource: a day, and below what a timer can count. */
export const READING_INTERVAL_MAX_MS = 86_400_000
/** Interval of a resource whose profile names none. */
export const READING_INTERVAL_DEFAULT_MS = 10_000
/** Highest line of a GPIO chip: a port expander has 16, a Pi 58, an x86 board some hundreds. */
export const GPIO_LINE_MAX = 1023
/** Longest time for which an input must be stable. */
export const GPIO_DEBOUNCE_MAX_MS = 10_000
/** Shortest time between two changes of a GPIO output: a relay does five a second for years. Two who fight for it do more. */
export const GPIO_DWELL_DEFAULT = '200ms'
/** Slowest line of an instrument: old meters. */
export const INSTRUMENT_BAUD_MIN = 300
/** Baud of an instrument whose profile names none: what most leave the factory with. */
export const INSTRUMENT_BAUD_DEFAULT = 9600
/** Shortest time for an answer: a frame of Modbus at 115,200 baud takes 3 ms, and Linux some more to hand it over. */
export const INSTRUMENT_TIMEOUT_MIN_MS = 50
/** Longest time for an answer: an analyser that measures when it is asked. */
export const INSTRUMENT_TIMEOUT_MAX_MS = 60_000
/** Time for an answer in lines of text unless the profile says otherwise. */
export const SERIAL_INSTRUMENT_TIMEOUT_DEFAULT_MS = 1000
/** Time for an answer over Modbus unless the profile says otherwise. */
export const MODBUS_TIMEOUT_DEFAULT_MS = 500
/** How often an instrument is asked again unless the profile says otherwise: noise takes one frame, seldom three. */
export const INSTRUMENT_RETRIES_DEFAULT = 2
/** Most of these. */
export const INSTRUMENT_RETRIES_MAX = 5
/** Characters of a request or a command to an instrument. */
export const INSTRUMENT_TEXT_LENGTH_MAX = 256
/** Characters that end a line of an instrument. */
export const INSTRUMENT_TERMINATOR_LENGTH_MAX = 4
/** Characters in which the health of a device says what is wrong: one line. */
export const HEALTH_ERROR_LENGTH_MAX = 256
/** Directory entries that are looked at for a temperature sensor. */
export const THERMAL_ZONES_MAX = 64

// --- drivers of devices -------------------------------------------------------------------------------------------

/** Time between two looks for what a machine does not have: it costs a look at one file. */
export const SYSTEM_ABSENT_INTERVAL_MS = 60_000
/** GPIO chips of a machine that are looked at; boards with expanders have some dozens. */
export const GPIO_CHIPS_MAX = 256
/** Time between two looks at an input whose edges cannot be waited for. */
export const GPIO_POLL_INTERVAL_MS = 50
/** Looks for the rights to a line that was just exported: udev gives them some milliseconds later. */
export const GPIO_RIGHTS_ATTEMPTS = 100
/** Time between two of those looks. */
export const GPIO_RIGHTS_INTERVAL_MS = 20
/** Time that the tool for the pull of a line may take; it writes one register. */
export const GPIO_BIAS_TIMEOUT_MS = 5000
/** Serial ports that a config gives names to: a board with some USB hubs. */
export const DEVICE_PORTS_MAX = 64
/** Time that outputs have to become safe at the end: a service manager waits 90 s in all, and some instruments take 5 s. */
export const OUTPUT_END_TIMEOUT_MS = 15_000
/** Time between two signs of life that the guard of the outputs gets. */
export const OUTPUT_GUARD_BEAT_MS = 5000
/** Signs of life that may fail to come, half a minute in all, before a gateway is taken for hung: a bad card stops it for seconds. */
export const OUTPUT_GUARD_BEATS_MISSED = 6
/** Rounds in which the guard tries to make instruments safe, with pauses of 1 s, 2 s, 4 s, 8 s between them. */
export const OUTPUT_GUARD_ROUNDS = 5
/** Time between two looks whether an output still is what it was set to. */
export const OUTPUT_VERIFY_INTERVAL_MS = 5000
/** Time between two looks whether a link is up. */
export const LINK_WATCH_INTERVAL_MS = 500
/** First pause after a device did not answer; doubled with each further failure. */
export const DEVICE_RETRY_MIN_MS = 1000
/** Longest pause before a device is tried again: somebody has just plugged it in. */
export const DEVICE_RETRY_MAX_MS = 30_000
/** Requests that wait for their turn on one port: one for each point, and one for each output. */
export const INSTRUMENT_QUEUE_MAX = 1024
/** Bytes of a line that has not ended: what is longer is no line of an instrument, and a pattern judges no more. */
export const INSTRUMENT_LINE_BYTES_MAX: number = PATTERN_TEXT_LENGTH_MAX
/**
 * Time after the opening of a port in which the first bytes are the rest of a line that had begun before: within a line the next ones
 * come sooner, also at 1200 baud behind a USB adapter.
 */
export const INSTRUMENT_PAUSE_MS = 50

// --- links and control ----------------------------------------------------------------------------------------

/** Frames handed to a link and not yet written out by it. */
export const LINK_QUEUE_FRAMES_MAX = 1024
/** Bytes of the same. */
export const LINK_QUEUE_BYTES_MAX: number = 4 * 1024 * 1024
/** MQTT publishes with QoS 1 that wait for an acknowledgement; brokers drop silently above their own limit. */
export const MQTT_INFLIGHT_MAX = 64
/** Bytes of the same: a slow phone line, 300 kbit/s, carries them in one keep-alive. */
export const MQTT_INFLIGHT_BYTES_MAX: number = 512 * 1024
/** Time that a CONNECT may take: RabbitMQ 3.10 never answers MQTT 5. */
export const MQTT_CONNECT_TIMEOUT_MS = 5000
/** Time that a connection in MQTT 3.1.1 has stood after which the next one asks for MQTT 5 again: a silence costs RabbitMQ 3.10 5 s. */
export const MQTT_VERSION_STALE_MS = 3_600_000
/** Time for one address of a name before the next one is tried: a phone line may take a second for its first answer. */
export const CONNECT_ADDRESS_TIMEOUT_MS = 1500
/** First pause before a link connects again; doubled with jitter. */
export const RECONNECT_DELAY_MIN_MS = 250
/** Longest pause before a link connects again. */
export const RECONNECT_DELAY_MAX_MS = 30_000
/** How often a link looks whether its broker still acknowledges: NATS is silent for 10 s when a server of its cluster dies. */
export const MQTT_ACKNOWLEDGE_LOOK_MS = 10_000
/** Looks in a row without any acknowledgement after which another server is tried. */
export const MQTT_ACKNOWLEDGE_LOOKS = 3
/** MQTT keep-alive. */
export const MQTT_KEEPALIVE_S = 15
/** Places of a link's queue that only announcements and requests may take, so that bulk never silences them. */
export const LINK_QUEUE_FRAMES_RESERVED = 64
/** Time that a link must have been up before the next pause starts from the shortest again: a denied node must not spin. */
export const RECONNECT_STABLE_MS = 10_000
/** Time for saying goodbye to the broker; whoever waits for the end of the daemon waits no longer. */
export const MQTT_GOODBYE_TIMEOUT_MS = 1000
/** Messages that may come between SUBSCRIBE and its answer: the presence of a large fleet, and as many frames. */
export const MQTT_EARLY_MESSAGES_MAX: number = 2 * MEMBERS_MAX
/** Bytes of them: what is longer than a frame is passed over later, so this is what a busy fleet sends in a moment. */
export const MQTT_EARLY_BYTES_MAX: number = 4 * 1024 * 1024
/** Topics of others whose meaning a link remembers: those of a fleet of ordinary size, some 200 bytes each. */
export const MQTT_TOPICS_REMEMBERED_MAX = 1024
/** MQTT 5 expiry of announcements and requests: an older one has been replaced by several newer ones. */
export const MQTT_MESSAGE_EXPIRY_S = 60
/** Connections to the embedded broker: every member, and some room for people's tools. */
export const BROKER_CONNECTIONS_MAX: number = MEMBERS_MAX + 128
/** Deliveries that the embedded broker works on at once; one slow subscriber must not hold up a large fleet. */
export const BROKER_CONCURRENCY: number = BROKER_CONNECTIONS_MAX
/** Time that a subscriber of the embedded broker may refuse to read before it is disconnected; it catches up later. */
export const BROKER_DRAIN_TIMEOUT_MS = 10_000
/** Bytes of retained topics and payloads that the embedded broker keeps in memory, with what stands around each. */
export const BROKER_RETAINED_BYTES_MAX: number = 16 * 1024 * 1024
/** Bytes that a retained message takes besides its topic and payload: 400,000 of one byte each took 310 in the middle. */
export const BROKER_RETAINED_OVERHEAD_BYTES = 320
/** Retained topics that are compared with a filter in one go: a third of a millisecond. */
export const BROKER_RETAINED_TOPICS_PER_LOOK = 1024
/** Subscriptions of one client of the embedded broker: one for each point that a tool shows, and ours have six. */
export const CLIENT_SUBSCRIPTIONS_MAX = 1024
/** Subscriptions of all of them: six of each member, and as many for people's tools. Each takes some 1,350 bytes. */
export const BROKER_SUBSCRIPTIONS_MAX: number = 12 * MEMBERS_MAX
/** Bytes of the filter of one: any topic of the contract, and any path in it. */
export const BROKER_FILTER_BYTES_MAX = 1024
/** Bytes of a CONNECT that the embedded broker takes from whoever it may be: a last will, and a token for a password. */
export const BROKER_CONNECT_BYTES_MAX: number = 8 * 1024
/** Bytes that the embedded broker holds of packets that have not come whole; more than a hundred of the largest frames. */
export const BROKER_UNFINISHED_BYTES_MAX: number = 8 * 1024 * 1024
/** Bytes of topic, number and properties before a payload: the longest topic that MQTT has, and some properties. */
export const MQTT_PACKET_HEAD_BYTES_MAX: number = 66 * 1024
/** Bytes of a publish of ours besides topic and payload: number, lengths and properties. */
export const MQTT_PUBLISH_EXTRA_BYTES = 96
/** Lines of the log in one interval about what strangers bring about as often as they like. */
export const STRANGER_LINES_MAX = 10
/** That interval: the log then grows by no more than some 3 MB in a day. */
export const STRANGER_LINES_INTERVAL_MS = 60_000
/** Peers that a gateway without a broker connects to: a full mesh of more costs more than a broker. */
export const PEERS_MAX = 24
/** Bytes in which a gateway says where it and its peers are reached: a line of some 300 for each. */
export const PEER_ADDRESSES_BYTES_MAX: number = 8 * 1024
/** Time in which known peers may answer before a link says that it is up without them: some round trips of a slow line. */
export const PEERS_GATHER_MS = 1000
/** Time between two questions for peers on the local network. */
export const DISCOVERY_INTERVAL_MS = 30_000
/** Addresses of one answer to it that are tried. */
export const DISCOVERY_ADDRESSES_MAX = 8
/** Time between two messages of one leaf of the mirror: people and their tools read no faster. */
export const MIRROR_INTERVAL_MS = 1000
/** Time between two looks of the mirror whether the quality of a value has changed. */
export const MIRROR_QUALITY_INTERVAL_MS = 5000
/** Time after which the mirror says the age of a value again: whoever reads it knows it to the minute. */
export const MIRROR_AGE_INTERVAL_MS = 60_000
/** Topics of points that are gone, which a mirror has still to take away at its broker; some 300 bytes each. */
export const MIRROR_LEFT_OVER_MAX = 16_384
/** Bytes of one message of the mirror: a value in JSON, or the discovery of a large profile. */
export const MIRROR_PAYLOAD_BYTES_MAX: number = 256 * 1024
/** Time over which gateways spread their answers when Home Assistant has started. */
export const HOME_ASSISTANT_JITTER_MS = 5000
/** Bytes of a config file: a fleet of MEMBERS_MAX, each on two lines. */
export const CONFIG_BYTES_MAX: number = 256 * 1024
/** Links of one gateway. */
export const LINKS_MAX = 8
/** MQTT servers that one link tries in turn. */
export const MQTT_SERVERS_MAX = 16
/** Bytes of the control socket's path: what BSD systems hold; Linux holds a few more. A longer one is cut off silently. */
export const CONTROL_PATH_BYTES_MAX = 103
/** Bytes of a log in JSON that wait while its disk is full; what comes then is lost. */
export const LOG_WAITING_BYTES_MAX: number = 64 * 1024
/** Bytes of one request line on the control socket. */
export const CONTROL_LINE_BYTES_MAX: number = 256 * 1024
/** Connections to the control socket at one time. */
export const CONTROL_CONNECTIONS_MAX = 32
/** Things that one connection to it watches: each change goes to each of them. */
export const CONTROL_WATCHES_MAX = 64
/** Bytes that a watcher may lag behind before its connection is closed. */
export const CONTROL_BACKLOG_BYTES_MAX: number = 4 * 1024 * 1024
/** Time that a daemon may take to answer a command. */
export const CONTROL_TIMEOUT_MS = 10_000

// --- serial lines -----------------------------------------------------------------------------------------------

/** Bytes of payload in one frame on a serial line, at least: below it the header is a fifth of the line. */
export const SERIAL_PAYLOAD_MIN = 64
/** Bytes of payload in one frame, at most: the checksum finds any four flipped bits up to a few hundred bytes. */
export const SERIAL_PAYLOAD_MAX = 1000
/** Bytes of payload on a fast line: 97 % of it is payload, and one frame takes 43 ms at 115,200 baud. */
export const SERIAL_PAYLOAD_DEFAULT = 480
/** Bytes of the content of any frame: payload, header, addresses, and what a later version adds. */
export const SERIAL_FRAME_BYTES_MAX: number = SERIAL_PAYLOAD_MAX + 24
/** Time that one frame may hold up what is more urgent. It sets the payload on a slow line: 277 bytes at 9,600 baud. */
export const SERIAL_FRAME_MS_MAX = 300
/** Part of a line that announcements may take while operations or answers wait for it. */
export const SERIAL_ANNOUNCEMENT_SHARE = 0.25
/** Bytes of announcements that may go at once on a line that had nothing to do: those of a small fleet. */
export const SERIAL_ANNOUNCEMENT_BURST_BYTES = 2048
/** Frames that may be under way without an acknowledgement: what its bitmap can tell. */
export const SERIAL_WINDOW = 32
/** Time that the port may take for what was written: enough for a busy machine's timers, and urgent frames wait for it. */
export const SERIAL_BACKLOG_MS = 80
/** Bytes that wait for a port that takes nothing: twice what is paced out at the fastest rate, and one window. */
export const SERIAL_PORT_BYTES_MAX: number = 128 * 1024
/** Time before the port runs dry at which the next frame is written, however long it is. */
export const SERIAL_REFILL_MS = 25
/** Shortest wait for an acknowledgement: at 150 ms a loaded machine was sent two thirds of a line twice. */
export const SERIAL_TIMEOUT_MIN_MS = 500
/** Longest wait for an acknowledgement. */
export const SERIAL_TIMEOUT_MAX_MS = 10_000
/** Time that an acknowledgement may wait for data that it can ride on. */
export const SERIAL_ACKNOWLEDGE_MS = 100
/** Frames that are acknowledged at once, whatever else is to be sent: a quarter of the window. */
export const SERIAL_ACKNOWLEDGE_FRAMES = 8
/** Time between two HELLOs while nobody answers. */
export const SERIAL_HELLO_MS = 1000
/** Time in which somebody should have answered a HELLO before people are told that nobody does. */
export const SERIAL_ANSWER_MS = 5000
/** Gap after which a side that has nothing to say shows that it is there. */
export const SERIAL_KEEPALIVE_MS = 2000
/** Time without any frame after which the other side is taken for gone: three keep-alives and one that was damaged. */
export const SERIAL_SILENCE_MS = 7000
/** Time in which an answer that has just gone is not sent again: the one who asked had not got it yet. */
export const SERIAL_ANSWER_REPEAT_MS = 3000
/** Answers that wait for the line, in time that they take: they are asked for again, and old ones are of no use. */
export const SERIAL_BULK_QUEUE_MS = 20_000
/** Telemetry that waits for the line, in time that it takes: what is older has been replaced. */
export const SERIAL_TELEMETRY_QUEUE_MS = 2000
/** Urgent frames in a row after which one of a catch-up goes, so that it ends on a line that is always full. */
export const SERIAL_URGENT_STREAK_MAX = 15
/** Bytes of frames after which the measure of losses forgets half: a line that loses one bit in 100,000 has lost some 20 by then. */
export const SERIAL_LOSS_MEMORY_BYTES: number = 256 * 1024
/** Bytes that the measure of losses begins with, as if they had passed whole: one loss at the beginning changes nothing. */
export const SERIAL_LOSS_PRIOR_BYTES: number = 32 * 1024
/** Bytes of a message on a line: a frame of a link, and on a bus whom it is for. */
export const SERIAL_MESSAGE_BYTES_MAX: number = FRAME_BYTES_MAX + 1
/** Time for opening a port: a USB adapter that hangs must not stop the attempts. */
export const SERIAL_OPEN_TIMEOUT_MS = 5000
/** Longest pause before a port is tried again: nobody else is burdened by it, and somebody has just plugged it in. */
export const SERIAL_REOPEN_MAX_MS = 5000
/** Time for saying goodbye; whoever waits for the end of the daemon waits no longer. */
export const SERIAL_GOODBYE_MS = 300
/** Highest address on a bus, and so the most stations: RS-485 drives 32 loads, and each waits for the others' turns. */
export const SERIAL_BUS_ADDRESS_MAX = 16
/** Time that all turns of a bus take together when everybody has much to send. */
export const SERIAL_BUS_ROTATION_MS = 1600
/** Longest turn of one station: twenty times what passing the token takes. */
export const SERIAL_BUS_TURN_MAX_MS = 400
/** Frames that a station may send in its turn at least, however slow the line is. */
export const SERIAL_BUS_TURN_FRAMES_MIN = 4
/** Time that a station with nothing to say keeps the token, so that an idle bus does not keep its machines busy. */
export const SERIAL_BUS_IDLE_TURN_MS = 20
/** Time in which a station must begin to use the token that it was given: USB adapters and busy machines take up to 40 ms. */
export const SERIAL_BUS_USAGE_MS = 100
/** Time in which the token passes over a station that did not use it, doubled each time: its machine may have stood still. */
export const SERIAL_BUS_RETRY_MS = 250
/** Time without any byte after which the token is lost: more than a station may take to pass it twice. */
export const SERIAL_BUS_LOST_MS = 500
/** So much later does each next address make a new token, so that only one does. */
export const SERIAL_BUS_LOST_STEP_MS = 40
/** Time between two invitations to stations that are not in the ring: each costs what it takes to wait for an answer. */
export const SERIAL_BUS_INVITE_MS = 8000
/** The same while a station is alone. */
export const SERIAL_BUS_INVITE_ALONE_MS = 500
/** Time in which those who are invited answer, each at a random moment of the first half. */
export const SERIAL_BUS_INVITATION_MS = 100
/** Time in which a station that hears others should have been taken in. */
export const SERIAL_BUS_ANSWER_MS = 30_000
/** Time that a station listens before it takes part, so that it hears who has its address. */
export const SERIAL_BUS_LISTEN_MS = 1500
/** Time between two HELLOs while nothing has changed. */
export const SERIAL_BUS_HELLO_MS = 30_000
/** Shortest pause of a station whose address another one has; it is doubled at random. */
export const SERIAL_BUS_CONFLICT_MS = 10_000
/** Turns in a row after which nobody uses the token, at which a station takes its address for used twice. */
export const SERIAL_BUS_TURNS_IN_VAIN_MAX = 4
/** Time after its own frame in which a station takes what carries its address for its own echo. */
export const SERIAL_BUS_ECHO_MS = 60

/** Serial ports of a machine that are looked at; a kernel keeps places for some dozens. */
export const SERIAL_DEVICES_MAX = 1024
/** Processes that are looked at for the one that holds a port. */
export const SERIAL_PROCESSES_MAX = 4096
/** Slowest line: one frame of the least payload takes 0.6 s. */
export const SERIAL_BAUD_MIN = 1200
/** Fastest line: what USB adapters carry. */
export const SERIAL_BAUD_MAX = 4_000_000
/** Baud where the config names none. */
export const SERIAL_BAUD_DEFAULT = 115_200

// --- the demo --------------------------------------------------------------------------------------------------

/** Gap between two looks of the demo at a condition that it waits for: a person takes it for at once. */
export const DEMO_POLL_INTERVAL_MS = 20
/** Gap between two pictures of the demo's live view. */
export const DEMO_VIEW_INTERVAL_MS = 250
/** Pause after a step of the demo's story, for a person who reads it. */
export const DEMO_PAUSE_MS = 2500
/** Longest time that one step of the demo's story may take: a link that was cut off tries again within it. */
export const DEMO_STEP_TIMEOUT_MS: number = RECONNECT_DELAY_MAX_MS
/** Time that a process of the demo has for a clean end before it is killed. */
export const DEMO_STOP_TIMEOUT_MS = 5000

assert(OPERATION_BYTES_MAX < FRAME_BYTES_MAX - 1024, 'a frame holds any single operation')
assert(BATCH_BYTES_TARGET < OPERATION_BYTES_MAX, 'a frame holds any batch, which is one operation or below its target')
assert(
  SETTLED_DRAFTS_BYTES_TARGET + OPERATION_BYTES_MAX < FRAME_BYTES_MAX - 512,
  'a batch of drafts that has reached its target still fits a frame',
)
assert(2 * CONNECT_ADDRESS_TIMEOUT_MS < MQTT_CONNECT_TIMEOUT_MS, 'two dead addresses leave time for a third one')
assert(FRAME_BYTES_MAX < MQTT_INFLIGHT_BYTES_MAX, 'the window of MQTT holds several of the largest frames')
assert(LINK_QUEUE_FRAMES_RESERVED < LINK_QUEUE_FRAMES_MAX / 2, 'the reserve leaves most of the queue to operations')
assert(VALUE_BYTES_MAX + PATH_BYTES_MAX < OPERATION_BYTES_MAX, 'an operation holds any single write')
assert(RULES_BYTES_MAX + PATH_BYTES_MAX < OPERATION_BYTES_MAX - 1024, 'an operation holds any rules')
assert(MEMBER_IDS_MAX * 30 < FRAME_BYTES_MAX + 1024, 'a frame holds any announcement')
assert(
  (MEMBERS_MAX + EPOCH_RETIRED_MAX) * 13 + REVOKED_TOKENS_MAX * 9 + ADMITTED_MAX * 118 + SIGNATURE_BYTES_MAX <
    FRAME_BYTES_MAX - 64,
  'a frame holds any epoch',
)
assert(TRANSFER_CHUNK_BYTES + 256 < FRAME_BYTES_MAX, 'a frame holds any chunk')
assert(
  TELEMETRY_MESSAGE_BYTES_TARGET + PATH_BYTES_MAX + TELEMETRY_VALUE_BYTES_MAX < FRAME_BYTES_MAX / 2,
  'a frame holds any telemetry',
)
assert(
  TELEMETRY_FORGET_INTERVALS * (ANNOUNCE_INTERVAL_MAX_MS / ANNOUNCE_INTERVAL_MEMBERS) >
    (TELEMETRY_STALE_REFRESHES * TELEMETRY_REFRESH_MS) / TELEMETRY_REFRESH_MEMBERS,
  'a reading is stale before it is forgotten, in a fleet of any size',
)
assert(STORED_BATCH_BYTES_MAX + STORAGE_PAGE_BYTES <= SEGMENT_BYTES, 'a segment holds any stored batch')
assert(RECORD_BYTES_MAX + STORED_RECORD_HEADER_BYTES <= STORED_BATCH_BYTES_MAX, 'a batch holds any single record')
assert(
  OPERATIONS_PER_BATCH_MAX <= WAITING_STRANGER_MESSAGES_MAX && FRAME_BYTES_MAX <= WAITING_STRANGER_BYTES_MAX,
  'any single batch of plain values may wait for its join',
)
assert(
  JOURNAL_OPERATIONS_WARNING < JOURNAL_OPERATIONS_MAX && JOURNAL_BYTES_WARNING < JOURNAL_BYTES_MAX,
  'the warning comes before the refusal',
)
assert(
  JOURNAL_OPERATIONS_MAX + 10 * DRAFTS_MAX < MEMBER_OPERATIONS_MAX &&
    JOURNAL_BYTES_MAX + 10 * DRAFTS_BYTES_MAX < MEMBER_BYTES_MAX,
  'a member that was retired ten times before anything of it was settled is taken in with the drafts of all its lives',
)
assert(DISK_FREE_REFUSAL_BYTES < DISK_FREE_WARNING_BYTES, 'people are warned before anything is refused')
assert(STORE_BYTES_WARNING < STORE_BYTES_MAX, 'people are warned before anything is refused')
assert(COMMIT_GATHER_MS < COMMIT_CONGESTED_MS, 'a commit waits longer for a link in which frames wait')
assert(RECORD_BYTES_MAX < PENDING_RECORD_BYTES_MAX, 'a single record may always wait')
assert(
  SERIAL_PAYLOAD_MIN < SERIAL_PAYLOAD_DEFAULT && SERIAL_PAYLOAD_DEFAULT < SERIAL_PAYLOAD_MAX,
  'payloads are in order',
)
assert(SERIAL_SILENCE_MS > 3 * SERIAL_KEEPALIVE_MS, 'one damaged keep-alive is no silence')
assert(SERIAL_ACKNOWLEDGE_FRAMES * 2 < SERIAL_WINDOW, 'acknowledgements come before the window is full')
