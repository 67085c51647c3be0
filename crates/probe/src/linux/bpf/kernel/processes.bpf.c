/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/*
 * Runs in the kernel: hands over all tasks to who reads its iterator, and tells of beginnings and ends of processes in a
 * ring buffer. Some of what it calls is only for programs under the GPL, so this file and kernel_types.h are that too;
 * the rest of Procession is not, and only loads what they compile to.
 *
 * Records have the byte order of the machine; the loader is only built where that is little-endian. `../records.rs` reads
 * them.
 */
#include "kernel_types.h"

#define KIND_PROCESS 1
#define KIND_THREAD 2
#define KIND_BEGAN 3
#define KIND_ENDED 4

#define PF_KTHREAD 0x00200000
#define SIGNAL_GROUP_EXIT 4
#define FILE_PAGES 0
#define ANONYMOUS_PAGES 1
#define SHARED_PAGES 3

/* Threads of an ending process whose time is not in its sum yet: more than these are not looked for. */
#define ENDING_THREADS_MAX 128

struct process_record {
	u32 kind;
	u32 pid;
	u32 parent_pid;
	u32 threads;
	u32 state;
	u32 exit_state;
	u32 flags;
	u32 exec_id;
	u64 start_ns;	  /* since boot, sleep included */
	u64 ended_cpu_ns; /* of threads that are gone */
	u64 cpu_ns;	  /* of the first thread */
	u64 virtual_pages;
	u64 resident_pages;
	char name[16];
};

struct thread_record {
	u32 kind;
	u32 pid; /* of its process */
	u64 ended_cpu_ns;
	u64 cpu_ns;
};

struct began_record {
	u32 kind;
	u32 pid;
	u32 parent_pid;
	u32 reserved;
	u64 began_ns; /* monotonic */
};

struct ended_record {
	u32 kind;
	u32 pid;
	u32 parent_pid;
	u32 status;
	u32 user;
	u32 flags;
	u32 threads;
	u32 argument_bytes;
	u64 began_ns;
	u64 ended_ns;
	u64 cpu_ns;
	u64 peak_pages;
	char name[16];
};

/* The size is the loader's to say. */
struct {
	MAP_TYPE(MAP_TYPE_RING_BUFFER);
	MAP_ENTRIES(4096);
} ring SECTION(".maps");

/* How many records found no room in the ring. */
struct {
	MAP_TYPE(MAP_TYPE_ARRAY);
	MAP_ENTRIES(1);
	u32 *key;
	u64 *value;
} lost SECTION(".maps");

static inline __attribute__((always_inline)) u32 state_of(struct task_struct *task)
{
	struct task_struct___before_5_14 *older = (void *)task;

	if (FIELD_EXISTS(task->__state))
		return task->__state;
	return older->state;
}

/* As /proc has it: the sums that the counters keep, without what is kept for each CPU still. */
static inline __attribute__((always_inline)) u64 resident_pages_of(struct mm_struct *mm)
{
	struct mm_struct___before_6_2 *older = (void *)mm;
	s64 file, anonymous, shared;

	if (FIELD_EXISTS(older->rss_stat.count)) {
		file = older->rss_stat.count[FILE_PAGES].counter;
		anonymous = older->rss_stat.count[ANONYMOUS_PAGES].counter;
		shared = older->rss_stat.count[SHARED_PAGES].counter;
	} else {
		file = mm->rss_stat[FILE_PAGES].count;
		anonymous = mm->rss_stat[ANONYMOUS_PAGES].count;
		shared = mm->rss_stat[SHARED_PAGES].count;
	}
	return (file > 0 ? file : 0) + (anonymous > 0 ? anonymous : 0) + (shared > 0 ? shared : 0);
}

static inline __attribute__((always_inline)) int write_thread(struct seq_file *seq, struct task_struct *task)
{
	struct thread_record record = {
		.kind = KIND_THREAD,
		.pid = task->tgid,
		/* Before its own: whoever ends in between is missed once, not counted twice. */
		.ended_cpu_ns = task->signal->sum_sched_runtime,
		.cpu_ns = task->se.sum_exec_runtime,
	};

	bpf_seq_write(seq, &record, sizeof(record));
	return 0;
}

static inline __attribute__((always_inline)) int write_process(struct seq_file *seq, struct task_struct *task)
{
	struct process_record record = {
		.kind = KIND_PROCESS,
		.pid = task->pid,
		.parent_pid = task->real_parent->tgid,
		.threads = task->signal->nr_threads,
		.state = state_of(task),
		.exit_state = task->exit_state,
		.flags = task->flags,
		.exec_id = task->self_exec_id,
		.start_ns = task->start_boottime,
		.ended_cpu_ns = task->signal->sum_sched_runtime,
		.cpu_ns = task->se.sum_exec_runtime,
	};
	struct mm_struct *mm = task->mm;

	__builtin_memcpy(record.name, task->comm, sizeof(record.name));
	/* Threads of the kernel only borrow memory. */
	if (mm && !(record.flags & PF_KTHREAD)) {
		record.virtual_pages = mm->total_vm;
		record.resident_pages = resident_pages_of(mm);
		/* Given back meanwhile, it may have been another's. */
		if (*(struct mm_struct *volatile *)&task->mm != mm)
			record.virtual_pages = record.resident_pages = 0;
	}
	bpf_seq_write(seq, &record, sizeof(record));
	return 0;
}

SECTION("iter/task")
int tasks(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct seq_file *seq = context->meta->seq;

	if (!task)
		return 0;
	return task->pid == task->tgid ? write_process(seq, task) : write_thread(seq, task);
}

static inline __attribute__((always_inline)) void count_lost(void)
{
	u32 key = 0;
	u64 *count = bpf_map_lookup_elem(&lost, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
}

SECTION("tp_btf/sched_process_fork")
int began(u64 *context)
{
	struct task_struct *child = (void *)context[1];
	struct began_record *record;

	if (child->pid != child->tgid)
		return 0;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count_lost();
		return 0;
	}
	record->kind = KIND_BEGAN;
	record->pid = child->tgid;
	record->parent_pid = child->real_parent->tgid;
	record->reserved = 0;
	record->began_ns = child->start_time;
	bpf_ringbuf_submit(record, RING_BUFFER_NO_WAKEUP);
	return 0;
}

/* CPU time of a process whose last thread ends: of the threads that are gone, and of those that are just going. */
static inline __attribute__((always_inline)) u64 cpu_ns_of(struct task_struct *task, struct signal_struct *signal)
{
	u64 sum = signal->sum_sched_runtime;
	void *head = (void *)signal + FIELD_OFFSET(struct signal_struct, thread_head);
	void *node = signal->thread_head.next;

	if (signal->nr_threads == 1)
		return sum + task->group_leader->se.sum_exec_runtime;
	for (int i = 0; i < ENDING_THREADS_MAX && node && node != head; i++) {
		void *thread = node - FIELD_OFFSET(struct task_struct, thread_node);
		u64 cpu_ns = 0;

		bpf_probe_read_kernel(&cpu_ns, sizeof(cpu_ns), thread + FIELD_OFFSET(struct task_struct, se.sum_exec_runtime));
		sum += cpu_ns;
		if (bpf_probe_read_kernel(&node, sizeof(node), node + FIELD_OFFSET(struct list_head, next)))
			break;
	}
	return sum;
}

static inline __attribute__((always_inline)) void fill_ended(struct ended_record *record, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct signal_struct *signal = task->signal;
	struct mm_struct *mm = task->mm;

	record->kind = KIND_ENDED;
	record->pid = task->tgid;
	record->parent_pid = leader->real_parent->tgid;
	record->status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
	record->user = leader->cred->euid.val;
	record->flags = leader->flags;
	record->threads = signal->nr_threads;
	record->argument_bytes = 0;
	record->began_ns = leader->start_time;
	record->ended_ns = bpf_ktime_get_ns();
	record->cpu_ns = cpu_ns_of(task, signal);
	record->peak_pages = 0;
	__builtin_memcpy(record->name, leader->comm, sizeof(record->name));
	/* Kernels before 6.16 have given it back by now. */
	if (mm) {
		u64 resident = resident_pages_of(mm);
		u64 highest = mm->hiwater_rss;

		record->peak_pages = resident > highest ? resident : highest;
	}
}

/* The kernel has to know the size of a record beforehand: as many bytes of arguments as one of a few sizes holds. */
static inline __attribute__((always_inline)) int write_ended(struct task_struct *task, u64 from, u32 bytes, const u32 room)
{
	struct ended_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record) + room, 0);

	if (!record) {
		count_lost();
		return 0;
	}
	fill_ended(record, task);
	if (room) {
		/* All of the room is read where there are more: the size has to be known to be in bounds. */
		u32 wanted = bytes < room ? bytes : room;

		if (wanted && !bpf_probe_read_user(record + 1, wanted, (void *)from))
			record->argument_bytes = wanted;
	}
	bpf_ringbuf_submit(record, RING_BUFFER_NO_WAKEUP);
	return 0;
}

SECTION("tp_btf/sched_process_exit")
int ended(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct mm_struct *mm = task->mm;
	u64 from = 0, bytes = 0;

	if (task->signal->live.counter)
		return 0;
	/* Who never ran a program of its own has its parent's arguments. */
	if (mm) {
		from = mm->arg_start;
		bytes = mm->arg_end - from;
	}
	if (!bytes || bytes > 1 << 20)
		return write_ended(task, 0, 0, 0);
	if (bytes <= 64)
		return write_ended(task, from, bytes, 64);
	if (bytes <= 256)
		return write_ended(task, from, bytes, 256);
	return write_ended(task, from, bytes, 1024);
}

static const char licence[] SECTION("license") = "Dual MIT/GPL";
