module execns

go 1.19
