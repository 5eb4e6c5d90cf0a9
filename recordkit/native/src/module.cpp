// The Python module recordkit.native._core: version, build facts, and the bindings of the other module_*.cpp.
#include "module.hpp"

#include <cstdio>

#include <jpeglib.h>

#include "deflate.hpp"
#include "huffman.hpp"
#include "jpeg_version.hpp"
#include "resize.hpp"

namespace recordkit {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "only the reference engine supports other byte orders");

// Version of the interface between Python and C++, equal to ABI in recordkit/native/__init__.py. Every change raises it.
constexpr int kAbi = 16;

py::dict build() {
    py::dict facts;
    const DeflateLibrary deflate = deflate_library();
    facts["libjpeg-turbo"] = jpeg_version_of_headers();
    facts[deflate.name] = deflate.version;
    facts["huffman"] = kHasFastHuffman ? "fast" : "slow, by libjpeg-turbo";
    facts["compiler"] = __VERSION__;
    facts["resize"] = resize_instructions();
    return facts;
}

// The version of libjpeg-turbo with which the core was built, and the one with which it runs.
py::tuple jpeg_versions() { return py::make_tuple(jpeg_version_of_headers(), jpeg_version_running()); }

}  // namespace
}  // namespace recordkit

PYBIND11_MODULE(_core, module) {
    module.attr("ABI") = recordkit::kAbi;
    module.def("build", &recordkit::build);
    module.def("jpeg_versions", &recordkit::jpeg_versions);
    recordkit::bind_packing(module);
    recordkit::bind_extents(module);
    recordkit::bind_reading(module);
    recordkit::bind_copying(module);
    recordkit::bind_loading(module);
    recordkit::bind_measuring(module);
    recordkit::bind_checking(module);
}
