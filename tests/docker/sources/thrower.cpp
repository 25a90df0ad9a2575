#include <stdexcept>

thread_local int thrown = 0;

int raise_it(int number) {
    thrown++;
    if (number < 0)
        throw std::out_of_range("below zero, thrown by the library");
    return thrown;
}
