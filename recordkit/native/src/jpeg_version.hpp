// The version of libjpeg-turbo in whose headers this module was compiled, and the version of the library that runs.
//
// They may differ: a newer package may replace the shared library, or another module in the process may have loaded its
// own. recordkit.native then refuses this module, because huffman.cpp relies on private structures, which may change from
// version to version.
#pragma once

#include <string>

namespace recordkit {

// The version of the headers and of libjpeg's interface that they describe, such as "2.1.5 (interface 62)".
std::string jpeg_version_of_headers();

// The running library's version and interface; "unknown (interface 80)" if it does not tell its version.
std::string jpeg_version_running();

}  // namespace recordkit
