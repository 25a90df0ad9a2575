int middle(int argc, char **argv);

int main(int argc, char **argv) { return middle(argc, argv); }
