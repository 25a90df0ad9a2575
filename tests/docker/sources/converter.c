int convert(const char *charset);

int main(int argc, char **argv) { return convert(argv[argc - 1]); }
