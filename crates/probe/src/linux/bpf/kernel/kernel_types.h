/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/*
 * What is used of the kernel's types, and nothing else of them: the loader finds where each field really is in the running
 * kernel (CO-RE), so neither order nor size matters here, only names. What follows three underscores in a name tells apart
 * how kernels of different ages have the same thing.
 */
#pragma once

typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

typedef struct {
	u32 val;
} kuid_t;

struct list_head {
	struct list_head *next;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct cred {
	kuid_t euid;
};

struct percpu_counter {
	s64 count;
};

struct mm_struct {
	unsigned long total_vm;
	unsigned long hiwater_rss;
	unsigned long arg_start;
	unsigned long arg_end;
	struct percpu_counter rss_stat[4];
};

struct mm_rss_stat {
	atomic64_t count[4];
};

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	struct list_head thread_head;
	int group_exit_code;
	u32 flags;
	u64 sum_sched_runtime;
};

struct task_struct {
	u32 __state;
	u32 flags;
	int exit_state;
	int exit_code;
	int pid;
	int tgid;
	u64 start_time;
	u64 start_boottime;
	u64 self_exec_id;
	char comm[16];
	struct sched_entity se;
	struct list_head thread_node;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	const struct cred *cred;
};

struct task_struct___before_5_14 {
	long state;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* How a map is described: by the types of a variable, which the compiler writes into the object. */
#define MAP_TYPE(number) int(*type)[number]
#define MAP_ENTRIES(number) int(*max_entries)[number]
#define SECTION(name) __attribute__((section(name), used))

#define FIELD_OFFSET(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)
#define FIELD_EXISTS(expression) __builtin_preserve_field_info(expression, 2)

#define MAP_TYPE_ARRAY 2
#define MAP_TYPE_RING_BUFFER 27
#define RING_BUFFER_NO_WAKEUP 1

/* The numbers of bpf-helpers(7) are fixed for ever. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static long (*const bpf_probe_read_user)(void *to, u32 bytes, const void *from) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *to, u32 bytes, const void *from) = (void *)113;
static long (*const bpf_seq_write)(struct seq_file *to, const void *from, u32 bytes) = (void *)127;
static void *(*const bpf_ringbuf_reserve)(void *ring, u64 bytes, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
