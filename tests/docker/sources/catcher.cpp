// An exception crosses from a shared library, in two threads with a counter each.
#include <iostream>
#include <stdexcept>
#include <thread>

extern thread_local int thrown;
int raise_it(int number);

static void attempt() {
    try {
        raise_it(1);
        raise_it(-1);
    } catch (const std::out_of_range &e) {
        std::cout << e.what() << ", call " << thrown << "\n";
    }
}

int main() {
    attempt();
    std::thread(attempt).join();
    std::cout << thrown << std::endl;
}
