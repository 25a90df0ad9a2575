/* The thread is cancelled by a library; the program itself imports nothing of the kind. */
int cancel_one(void);

int main(void) { return cancel_one(); }
