// The Python module recordkit.native._core: version, build facts, and the bindings of the other module_*.cpp.
#include "module.hpp"

#include <cstdio>

#include <jpeglib.h>
#include <libdeflate.h>

#include "huffman.hpp"
#include "jpeg_version.hpp"
#include "resize.hpp"

namespace recordkit {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "only the reference engine supports other byte orders");

// Version of the interface between Python and C++, equal to ABI in recordkit/native/__init__.py. Every change raises it.
constexpr int kAbi = 6;

py::dict build() {
    py::dict facts;
    facts["libjpeg-turbo"] = jpeg_version_of_headers();
    facts["libdeflate"] = LIBDEFLATE_VERSION_STRING;
    facts["compiler"] = __VERSION__;
    facts["resize"] = resize_instructions();
    return facts;
}

// The two versions of libjpeg-turbo, and whether they allow the fast Huffman decoder.
py::tuple jpeg_versions() {
    return py::make_tuple(jpeg_version_of_headers(), jpeg_version_running(), fast_huffman_is_on());
}

}  // namespace
}  // namespace recordkit

PYBIND11_MODULE(_core, module) {
    module.attr("ABI") = recordkit::kAbi;
    module.def("build", &recordkit::build);
    module.def("jpeg_versions", &recordkit::jpeg_versions);
    module.def("assume_jpeg_version", &recordkit::assume_jpeg_version, pybind11::arg("running"));
    recordkit::bind_packing(module);
    recordkit::bind_reading(module);
    recordkit::bind_loading(module);
}
