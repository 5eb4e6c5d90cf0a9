// Classes whose objects refer to Python objects that may refer to them, so that Python's cycle collector has to know.
#pragma once

#include "module.hpp"

namespace recordkit {

// The C++ object of a Python object; null while it is being made or after it was destroyed. The Python object owns it.
template <typename T>
T* constructed(PyObject* self) {
    py::detail::value_and_holder object = reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder();
    return object.holder_constructed() ? object.value_ptr<T>() : nullptr;
}

// Registers a class with the collector. `T::references()` returns pointers to its Python objects, which become None if
// an object is dropped as part of a cycle.
template <typename T>
py::custom_type_setup collectable() {
    return py::custom_type_setup([](PyHeapTypeObject* heap_type) {
        PyTypeObject& type = heap_type->ht_type;
        type.tp_flags |= Py_TPFLAGS_HAVE_GC;
        type.tp_traverse = [](PyObject* self, visitproc visit, void* arg) {
            Py_VISIT(Py_TYPE(self));
            if (T* const object = constructed<T>(self))
                for (const py::object* const reference : object->references()) Py_VISIT(reference->ptr());
            return 0;
        };
        type.tp_clear = [](PyObject* self) {
            if (T* const object = constructed<T>(self))
                for (py::object* const reference : object->references()) *reference = py::none();
            return 0;
        };
    });
}

}  // namespace recordkit
