// libjpeg-turbo has no function that returns its version. Since release 1.5.0 its read-only data contains the text
// "libjpeg-turbo version 2.1.5 (build 20230203)" (jcmaster.c), which its authors put there so that one can examine a
// binary and tell its version. It is searched for in the memory of the object that contains jpeg_start_decompress.
#include "jpeg_version.hpp"

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstring>

#if __has_include(<link.h>)
#include <link.h>
#define RECORDKIT_HAS_LOADED_OBJECTS 1
#endif

#include <jpeglib.h>

#define RECORDKIT_TEXT_OF(token) #token
#define RECORDKIT_EXPANDED_TEXT_OF(macro) RECORDKIT_TEXT_OF(macro)

namespace recordkit {
namespace {

#ifdef RECORDKIT_HAS_LOADED_OBJECTS
constexpr char kBeforeVersion[] = "libjpeg-turbo version ";

// Return the version that follows kBeforeVersion in a segment; empty if the segment has none. A match without a digit
// after it is this file's own constant, in a program into which libjpeg-turbo is linked statically.
std::string find_version(const char* begin, size_t size) {
    const char* const end = begin + size;
    constexpr size_t kLength = sizeof kBeforeVersion - 1;
    while (const auto* match =
               static_cast<const char*>(memmem(begin, static_cast<size_t>(end - begin), kBeforeVersion, kLength))) {
        const char* const version = begin = match + kLength;
        const char* next = version;
        while (next < end && (std::isdigit(static_cast<unsigned char>(*next)) || *next == '.')) ++next;
        if (next > version) return {version, next};
    }
    return {};
}

// Called for each loaded object until it returns 1; `out` is the std::string of the caller.
int search_object(dl_phdr_info* object, size_t, void* out) {
    const auto address = reinterpret_cast<uintptr_t>(&jpeg_start_decompress);
    bool contains_libjpeg = false;
    std::string version;
    for (size_t n = 0; n < object->dlpi_phnum; ++n) {
        const auto& segment = object->dlpi_phdr[n];
        if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_R)) continue;
        const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
        contains_libjpeg = contains_libjpeg || (address >= begin && address - begin < segment.p_memsz);
    }
    if (!contains_libjpeg) return 0;
    for (size_t n = 0; n < object->dlpi_phnum && version.empty(); ++n) {
        const auto& segment = object->dlpi_phdr[n];
        if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_R) || segment.p_flags & PF_W) continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as integers
        const auto* begin = reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);
        version = find_version(begin, segment.p_filesz);
    }
    *static_cast<std::string*>(out) = version;
    return 1;
}

std::string search_memory() {
    std::string version;
    dl_iterate_phdr(search_object, &version);
    return version;
}
#else
std::string search_memory() { return {}; }  // a system without ELF objects
#endif

}  // namespace

std::string jpeg_version_of_headers() { return RECORDKIT_EXPANDED_TEXT_OF(LIBJPEG_TURBO_VERSION); }

const std::string& jpeg_version_running() {
    static const std::string version = search_memory();
    return version;
}

}  // namespace recordkit
