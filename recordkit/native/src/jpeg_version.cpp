// libjpeg-turbo has no function that returns its version. Since release 1.5.0 its read-only data contains the text
// "libjpeg-turbo version 2.1.5 (build 20230203)" (jcmaster.c), which its authors put there so that one can examine a
// binary and tell its version. It is searched for in the memory of the object that contains jpeg_start_decompress.
//
// The version of the interface is JPEG_LIB_VERSION: the version of libjpeg (62, 70, 80) whose structures it has.
#include "jpeg_version.hpp"

#include <cctype>
#include <csetjmp>
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

constexpr char kVersionOfHeaders[] = RECORDKIT_EXPANDED_TEXT_OF(LIBJPEG_TURBO_VERSION);

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

std::string search_memory();

// Called for each loaded object until it returns 1; `out` is the std::string of the caller.
int search_object(dl_phdr_info* object, size_t, void* out) {
    const auto address = reinterpret_cast<uintptr_t>(&jpeg_start_decompress);
    const auto own_address = reinterpret_cast<uintptr_t>(&search_memory);
    bool contains_libjpeg = false, contains_this_file = false;
    std::string version;
    for (size_t n = 0; n < object->dlpi_phnum; ++n) {
        const auto& segment = object->dlpi_phdr[n];
        if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_R)) continue;
        const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
        contains_libjpeg = contains_libjpeg || (address >= begin && address - begin < segment.p_memsz);
        contains_this_file = contains_this_file || (own_address >= begin && own_address - begin < segment.p_memsz);
    }
    if (!contains_libjpeg) return 0;
    for (size_t n = 0; n < object->dlpi_phnum && version.empty(); ++n) {
        const auto& segment = object->dlpi_phdr[n];
        if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_R) || segment.p_flags & PF_W) continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as integers
        const auto* begin = reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);
        version = find_version(begin, segment.p_filesz);
    }
    // A linker may leave the text out of a static library. Nothing can replace that library later.
    if (version.empty() && contains_this_file) version = kVersionOfHeaders;
    *static_cast<std::string*>(out) = version;
    return 1;
}

std::string search_memory() {
    std::string version;
    dl_iterate_phdr(search_object, &version);
    return version;
}
#else
// Without ELF objects only the interfaces are compared, which is enough because huffman.cpp is off there.
std::string search_memory() { return kVersionOfHeaders; }
#endif

struct InterfaceQuestion {
    jpeg_error_mgr base;
    std::jmp_buf jump_target;
};

// Ask for an interface that does not exist; libjpeg's error then has the one that it has.
int interface_running() {
    InterfaceQuestion question;
    jpeg_decompress_struct info;
    info.err = jpeg_std_error(&question.base);
    question.base.error_exit = [](j_common_ptr asked) {
        std::longjmp(reinterpret_cast<InterfaceQuestion*>(asked->err)->jump_target, 1);  // base is the first member
    };
    if (!setjmp(question.jump_target)) jpeg_CreateDecompress(&info, -1, sizeof info);
    return question.base.msg_parm.i[0];
}

std::string with_interface(const std::string& version, int interface) {
    return version + " (interface " + std::to_string(interface) + ")";
}

}  // namespace

std::string jpeg_version_of_headers() { return with_interface(kVersionOfHeaders, JPEG_LIB_VERSION); }

std::string jpeg_version_running() {
    const std::string version = search_memory();
    return with_interface(version.empty() ? "unknown" : version, interface_running());
}

}  // namespace recordkit
