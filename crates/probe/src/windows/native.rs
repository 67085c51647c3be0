//! The calls of Windows, each in a safe function: all the unsafe code of this folder.
#![expect(unsafe_code, reason = "the operating system is called here")]

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SYSTEM_INFORMATION_CLASS, SystemProcessInformation, SystemTimeOfDayInformation,
};
use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, ProcessBasicInformation, ProcessCommandLineInformation,
};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, FILETIME, GetLastError, HANDLE, NTSTATUS, STATUS_ACCESS_DENIED,
    STATUS_INFO_LENGTH_MISMATCH, UNICODE_STRING,
};
use windows_sys::Win32::Security::{
    GetLengthSid, GetTokenInformation, LookupAccountSidW, SidTypeUnknown, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RRF_RT_REG_SZ, RegGetValueW};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNameDnsHostname, GetComputerNameExW, GetSystemInfo, GlobalMemoryStatusEx, MEMORYSTATUSEX, SYSTEM_INFO,
};
use windows_sys::Win32::System::Threading::{
    GetSystemTimes, OpenProcess, OpenProcessToken, PROCESS_BASIC_INFORMATION, PROCESS_QUERY_INFORMATION,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_VM_READ, QueryFullProcessImageNameW,
};

/// The most that the list of processes may take.
const LIST_BYTES_MAX: usize = 256 << 20;
const TEXT_UNITS_MAX: usize = 32 << 10;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    Denied,
    /// With Windows' own number of the error.
    Failed(u32),
}

/// Bytes aligned as the kernel wants them.
#[derive(Debug, Default)]
pub(super) struct AlignedBytes {
    words: Vec<u64>,
    length: usize,
}

impl AlignedBytes {
    fn grow(&mut self, bytes: usize) {
        if self.capacity() < bytes {
            self.words.resize(bytes.div_ceil(8), 0);
        }
    }

    fn capacity(&self) -> usize {
        self.words.len() * 8
    }

    fn pointer(&mut self) -> *mut c_void {
        self.words.as_mut_ptr().cast()
    }

    /// What was written.
    pub(super) fn bytes(&self) -> &[u8] {
        let length = self.length.min(self.capacity());
        // SAFETY: any bytes are valid as `u8`, and these belong to `words`, which is borrowed as long as they are.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), length) }
    }

    /// Where the bytes begin.
    pub(super) fn address(&self) -> u64 {
        self.words.as_ptr() as u64
    }
}

/// Lists all processes into memory that is used again.
pub(super) fn list_processes(list: &mut AlignedBytes) -> Result<(), CallError> {
    const FIRST_BYTES: usize = 256 << 10;
    list.grow(FIRST_BYTES);
    loop {
        match query(SystemProcessInformation, list) {
            Err(CallError::Failed(status)) if status == STATUS_INFO_LENGTH_MISMATCH.cast_unsigned() => {
                let wanted = list.length.max(list.capacity()) * 5 / 4;
                if wanted > LIST_BYTES_MAX {
                    return Err(CallError::Failed(status));
                }
                list.grow(wanted);
            }
            other => return other,
        }
    }
}

/// When the machine booted, in units of 100 ns since 1601.
pub(super) fn boot_time() -> Option<u64> {
    const BYTES: usize = 48;
    let mut answer = AlignedBytes::default();
    answer.grow(BYTES);
    query(SystemTimeOfDayInformation, &mut answer).ok()?;
    answer.bytes().first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).filter(|time| *time > 0)
}

fn query(class: SYSTEM_INFORMATION_CLASS, answer: &mut AlignedBytes) -> Result<(), CallError> {
    let mut written = 0;
    let capacity = u32::try_from(answer.capacity()).unwrap_or(u32::MAX);
    // SAFETY: the memory is ours, aligned, and as long as we say.
    let status = unsafe { NtQuerySystemInformation(class, answer.pointer(), capacity, &raw mut written) };
    answer.length = written as usize;
    if status >= 0 { Ok(()) } else { Err(CallError::Failed(status.cast_unsigned())) }
}

/// An open handle, closed when dropped.
#[derive(Debug)]
pub(super) struct Handle(HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open and ours alone.
        unsafe { CloseHandle(self.0) };
    }
}

impl Handle {
    /// Opens a process to ask about it.
    pub(super) fn open_process(pid: u32) -> Result<Self, CallError> {
        // SAFETY: no memory is handed over.
        let handle = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
        if handle.is_null() { Err(last_error()) } else { Ok(Self(handle)) }
    }

    /// Path of the executable.
    pub(super) fn executable(&self) -> Result<String, CallError> {
        let mut units = vec![0; TEXT_UNITS_MAX];
        let mut length = TEXT_UNITS_MAX as u32;
        // SAFETY: the memory is ours and as long as we say; Windows sets the length to what it wrote.
        let done = unsafe { QueryFullProcessImageNameW(self.0, 0, units.as_mut_ptr(), &raw mut length) };
        if done == 0 { Err(last_error()) } else { Ok(text(&units, length as usize)) }
    }

    /// The command line, from Windows 8.1 on.
    pub(super) fn command_line(&self) -> Result<String, CallError> {
        let mut answer = AlignedBytes::default();
        answer.grow(TEXT_UNITS_MAX * 2 + size_of::<UNICODE_STRING>() + 8);
        let mut written = 0;
        let capacity = u32::try_from(answer.capacity()).unwrap_or(u32::MAX);
        // SAFETY: the memory is ours, aligned, and as long as we say.
        let status = unsafe {
            NtQueryInformationProcess(
                self.0,
                ProcessCommandLineInformation,
                answer.pointer(),
                capacity,
                &raw mut written,
            )
        };
        if status < 0 {
            return Err(failure(status));
        }
        answer.length = answer.capacity();
        Ok(string_in(&answer).unwrap_or_default())
    }

    /// Opens a process to read its memory, which is allowed for fewer than to ask about it.
    pub(super) fn open_memory(pid: u32) -> Result<Self, CallError> {
        // SAFETY: no memory is handed over.
        let handle = unsafe { OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, 0, pid) };
        if handle.is_null() { Err(last_error()) } else { Ok(Self(handle)) }
    }

    /// Where the process keeps what it was started with (its PEB).
    pub(super) fn environment_block(&self) -> Result<u64, CallError> {
        let mut answer = AlignedBytes::default();
        answer.grow(size_of::<PROCESS_BASIC_INFORMATION>());
        let mut written = 0;
        // SAFETY: the memory is ours, aligned, and as long as we say.
        let status = unsafe {
            NtQueryInformationProcess(
                self.0,
                ProcessBasicInformation,
                answer.pointer(),
                size_of::<PROCESS_BASIC_INFORMATION>() as u32,
                &raw mut written,
            )
        };
        if status < 0 {
            return Err(failure(status));
        }
        answer.length = answer.capacity();
        let address = answer.bytes().get(8..).and_then(|rest| rest.first_chunk());
        Ok(address.map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// Bytes of another process' memory.
    pub(super) fn read_memory(&self, address: u64, length: usize) -> Result<Vec<u8>, CallError> {
        let mut bytes = vec![0_u8; length];
        let mut read = 0;
        // SAFETY: the memory written to is ours and as long as we say; the address is one of the other process, and Windows
        // checks it.
        let done = unsafe {
            ReadProcessMemory(self.0, address as *const c_void, bytes.as_mut_ptr().cast(), length, &raw mut read)
        };
        if done == 0 || read != length { Err(last_error()) } else { Ok(bytes) }
    }

    /// The user as `DOMAIN\name`, or the identifier in hexadecimal digits where there is no name.
    pub(super) fn user(&self) -> Result<UserId, CallError> {
        let mut token = null_mut();
        // SAFETY: Windows writes a handle to `token`, which is ours from then on.
        if unsafe { OpenProcessToken(self.0, TOKEN_QUERY, &raw mut token) } == 0 {
            return Err(last_error());
        }
        let token = Self(token);
        const BYTES: usize = 256;
        let mut answer = AlignedBytes::default();
        answer.grow(BYTES);
        let mut written = 0;
        // SAFETY: the memory is ours, aligned, and as long as we say.
        let done = unsafe { GetTokenInformation(token.0, TokenUser, answer.pointer(), BYTES as u32, &raw mut written) };
        if done == 0 {
            return Err(last_error());
        }
        // SAFETY: Windows has written a TOKEN_USER to the beginning of memory that is long enough and aligned for it; its
        // identifier is in the same memory, which lives until the end of this function.
        let sid = unsafe {
            let sid = (*answer.pointer().cast::<TOKEN_USER>()).User.Sid;
            std::slice::from_raw_parts(sid.cast::<u8>(), GetLengthSid(sid) as usize).to_vec()
        };
        Ok(UserId(sid))
    }
}

/// Windows' identifier of a user or of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UserId(Vec<u8>);

impl UserId {
    /// `DOMAIN\name`; may ask a server of the domain.
    pub(super) fn name(&self) -> Option<String> {
        const UNITS: usize = 512;
        let (mut name, mut domain) = (vec![0; UNITS], vec![0; UNITS]);
        let (mut name_length, mut domain_length) = (UNITS as u32, UNITS as u32);
        let mut kind = SidTypeUnknown;
        // SAFETY: all memory is ours and as long as we say; the identifier is one that Windows gave.
        let done = unsafe {
            LookupAccountSidW(
                null(),
                self.0.as_ptr().cast::<c_void>().cast_mut(),
                name.as_mut_ptr(),
                &raw mut name_length,
                domain.as_mut_ptr(),
                &raw mut domain_length,
                &raw mut kind,
            )
        };
        if done == 0 {
            return None;
        }
        let (name, domain) = (text(&name, name_length as usize), text(&domain, domain_length as usize));
        Some(if domain.is_empty() { name } else { format!("{domain}\\{name}") })
    }

    /// Where there is no name.
    pub(super) fn digits(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// CPU time of all processors in units of 100 ns: idle, and all together.
pub(super) fn processor_times() -> Option<(u64, u64)> {
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut idle, mut kernel, mut user) = (zero, zero, zero);
    // SAFETY: Windows writes three values to memory that is ours.
    let done = unsafe { GetSystemTimes(&raw mut idle, &raw mut kernel, &raw mut user) };
    let value = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    // Kernel time has the idle time in it.
    (done != 0).then(|| (value(idle), value(kernel).saturating_add(value(user))))
}

/// Physical memory in bytes: all, and what is not in use.
pub(super) fn memory() -> Option<(u64, u64)> {
    // SAFETY: all zero is a valid value of this plain structure.
    let mut status: MEMORYSTATUSEX = unsafe { std::mem::zeroed() };
    status.dwLength = size_of::<MEMORYSTATUSEX>() as u32;
    // SAFETY: the structure is ours and says its length.
    let done = unsafe { GlobalMemoryStatusEx(&raw mut status) };
    (done != 0).then_some((status.ullTotalPhys, status.ullAvailPhys))
}

/// How many processors there are.
pub(super) fn cpu_count() -> u32 {
    // SAFETY: all zero is a valid value of this plain structure.
    let mut info: SYSTEM_INFO = unsafe { std::mem::zeroed() };
    // SAFETY: Windows fills memory that is ours.
    unsafe { GetSystemInfo(&raw mut info) };
    info.dwNumberOfProcessors
}

pub(super) fn host_name() -> Option<String> {
    const UNITS: usize = 256;
    let mut units = vec![0; UNITS];
    let mut length = UNITS as u32;
    // SAFETY: the memory is ours and as long as we say.
    let done = unsafe { GetComputerNameExW(ComputerNameDnsHostname, units.as_mut_ptr(), &raw mut length) };
    (done != 0).then(|| text(&units, length as usize)).filter(|name| !name.is_empty())
}

/// A text of the registry, below `HKEY_LOCAL_MACHINE`.
pub(super) fn registry_text(key: &str, name: &str) -> Option<String> {
    const UNITS: usize = 1_024;
    let mut units = vec![0_u16; UNITS];
    let mut bytes = (UNITS * 2) as u32;
    // SAFETY: both names end with a zero, and the memory is ours and as long as we say.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            zero_ended(key).as_ptr(),
            zero_ended(name).as_ptr(),
            RRF_RT_REG_SZ,
            null_mut(),
            units.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    (status == 0).then(|| text(&units, bytes as usize / 2)).filter(|text| !text.is_empty())
}

/// A number of the registry, below `HKEY_LOCAL_MACHINE`.
pub(super) fn registry_number(key: &str, name: &str) -> Option<u32> {
    let mut number = 0_u32;
    let mut bytes = size_of::<u32>() as u32;
    // SAFETY: both names end with a zero, and the memory is ours and as long as we say.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            zero_ended(key).as_ptr(),
            zero_ended(name).as_ptr(),
            RRF_RT_REG_DWORD,
            null_mut(),
            (&raw mut number).cast(),
            &raw mut bytes,
        )
    };
    (status == 0).then_some(number)
}

/// The string that the UNICODE_STRING at the beginning of `answer` describes, if it lies in `answer`.
fn string_in(answer: &AlignedBytes) -> Option<String> {
    let bytes = answer.bytes();
    let length = usize::from(u16::from_le_bytes(*bytes.first_chunk()?));
    let pointer = u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
    let at = usize::try_from(pointer.checked_sub(answer.address())?).ok()?;
    Some(super::utf_16(bytes.get(at..at.checked_add(length)?)?))
}

fn failure(status: NTSTATUS) -> CallError {
    if status == STATUS_ACCESS_DENIED { CallError::Denied } else { CallError::Failed(status.cast_unsigned()) }
}

fn last_error() -> CallError {
    // SAFETY: no memory is handed over.
    match unsafe { GetLastError() } {
        ERROR_ACCESS_DENIED => CallError::Denied,
        other => CallError::Failed(other),
    }
}

fn text(units: &[u16], length: usize) -> String {
    let units = &units[..length.min(units.len())];
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

fn zero_ended(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
