function main(params) {}
