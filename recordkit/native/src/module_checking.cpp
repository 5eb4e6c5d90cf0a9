// Python binding for the pass of `recordkit verify`; recordkit.upkeep.check.native calls it.
#include "module.hpp"

#include "check.hpp"
#include "decode_bytes.hpp"
#include "module_limits.hpp"

namespace recordkit {
namespace {

constexpr int kAsStored = 0;  // channels

// Columns of CheckedRecords for the records at `offsets`: ids, labels, bounds, checksums and states. With a budget,
// see module_limits.hpp, each image is decoded. Once stopped[0] is 1, the rest is left out.
py::tuple check_columns(const py::object& record_file, const Column<uint64_t>& offsets, py::object budget,
                        py::object stopped) {
    const std::shared_ptr<const File> file = file_of(record_file);
    const bool decode = !budget.is_none();
    const Budget memory(std::move(budget));
    EarlyEnd early_end(std::move(stopped));
    const auto decodes = [&](Span payload) {
        if (!decode) return true;
        try {
            const Budget::Hold hold(memory, decode_bytes(payload, kAsStored));
            check_image(payload);
        } catch (const Unsupported&) {
            return false;
        }
        return true;
    };
    CheckedRecords result;
    std::vector<uint8_t> states;
    {
        const py::gil_scoped_release without_gil;
        result = recordkit::check_records(*file, offsets.data(), static_cast<size_t>(offsets.size()), decodes,
                                          [&] { return early_end.is_due(); });
        for (const RecordState state : result.states) states.push_back(static_cast<uint8_t>(state));
    }
    return py::make_tuple(column_of(std::move(result.ids)), column_of(std::move(result.labels)),
                          column_of(std::move(result.bounds)), column_of(std::move(result.checksums)),
                          column_of(std::move(states)));
}

}  // namespace

void bind_checking(py::module_& module) {
    module.def("check_records", &check_columns, py::arg("file"), py::arg("offsets"), py::arg("budget"),
               py::arg("stopped"));
}

}  // namespace recordkit
