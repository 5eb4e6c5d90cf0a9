// The compiled module; what it is made of, and with.
#include "module.hpp"

#include <cstdio>

#include <jpeglib.h>
#include <libdeflate.h>

#include "resize.hpp"

namespace recordkit {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the reference engine alone knows other byte orders");

// Raised when what Python and C++ expect of each other changes; recordkit/native/__init__.py has the same number.
constexpr int kAbi = 5;

py::dict build() {
    py::dict facts;
    facts["libjpeg-turbo"] = std::to_string(LIBJPEG_TURBO_VERSION_NUMBER / 1000000) + "." +
                             std::to_string(LIBJPEG_TURBO_VERSION_NUMBER / 1000 % 1000) + "." +
                             std::to_string(LIBJPEG_TURBO_VERSION_NUMBER % 1000);
    facts["libdeflate"] = LIBDEFLATE_VERSION_STRING;
    facts["compiler"] = __VERSION__;
    facts["resize"] = resize_path();
    return facts;
}

}  // namespace
}  // namespace recordkit

PYBIND11_MODULE(_core, module) {
    module.attr("ABI") = recordkit::kAbi;
    module.def("build", &recordkit::build);
    recordkit::bind_packing(module);
    recordkit::bind_reading(module);
    recordkit::bind_loading(module);
}
