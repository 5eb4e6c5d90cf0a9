// The version of libjpeg-turbo in whose headers this module was compiled, and the version of the library that runs.
//
// They may differ: a newer package may replace the shared library, or another module in the process may have loaded its
// own. huffman.cpp relies on private structures, which may change from version to version.
#pragma once

#include <string>

namespace recordkit {

// The version of the headers, such as "2.1.5".
std::string jpeg_version_of_headers();

// The version of the library that runs; empty if it does not tell. It is looked up once.
const std::string& jpeg_version_running();

}  // namespace recordkit
