/* Wine 8 has no bcryptprimitives.dll, from which Rust's library takes random bytes. This one passes the question on to
   advapi32, whose RtlGenRandom is exported as SystemFunction036 and takes 32-bit lengths. */
#include <windows.h>

#define PART_MAX 0x40000000u

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) {
    for (SIZE_T done = 0; done < length;) {
        SIZE_T rest = length - done;
        ULONG part = rest < PART_MAX ? (ULONG)rest : PART_MAX;
        if (!SystemFunction036(buffer + done, part)) return FALSE;
        done += part;
    }
    return TRUE;
}
